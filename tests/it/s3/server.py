"""S3 by moto, on a free port of loopback, with the bucket `papers`. It says its port, and ends when its standard input does."""

import logging
import sys
import urllib.request

from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
port = server.get_host_and_port()[1]
made = urllib.request.Request(f"http://127.0.0.1:{port}/papers", method="PUT")
urllib.request.urlopen(made).read()
print(f"port {port}", flush=True)
sys.stdin.read()
server.stop()
