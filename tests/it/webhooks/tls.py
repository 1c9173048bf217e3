"""A receiver of webhooks behind TLS, by the certificate of the mail server's tests, whose authority nobody knows.

Says on its standard output at which port it is, and then each path that something is posted to. It ends with its standard input.
"""

import http.server
import os
import ssl
import sys
import threading

here = os.path.dirname(os.path.abspath(__file__))
folder = os.path.join(here, "..", "smtp")


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print("came", self.path, flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("port", server.server_address[1], flush=True)
sys.stdin.read()
