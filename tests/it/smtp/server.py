"""A mail server for tests, until its standard input is closed: `server.py plain|starttls|implicit [login]`.

Says `port N`, then each mail that it took as a line of JSON. What it answers stands in the address that a mail is for:
`later-2@…` is refused for now (451) twice, `never@…` for good (550), every other one is taken.
"""

import email
import email.policy
import json
import pathlib
import socket
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

FOLDER = pathlib.Path(__file__).parent
refused = {}


def say(line):
    print(line, flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "never":
            return "550 5.1.1 There is nobody of that name"
        if name.startswith("later-") and refused.get(address, 0) < int(name.removeprefix("later-")):
            refused[address] = refused.get(address, 0) + 1
            return "451 4.7.1 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(json.dumps({
            "tls": session.ssl is not None,
            "login": session.auth_data.decode() if session.auth_data else None,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": mail["Subject"],
            "id": mail["Message-ID"],
            "date": mail["Date"],
            "headers": sorted(mail.keys()),
            "text": mail.get_body(("plain",)).get_content(),
            "html": mail.get_body(("html",)).get_content(),
        }))
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"evolve" and data.password == b"secret"
    return AuthResult(success=good, handled=False, auth_data=data.login if good else None)


class Server(Controller):
    def __init__(self, mode, login):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(FOLDER / "server.pem", FOLDER / "server.key")
        self.options = {"tls_context": context, "require_starttls": True} if mode == "starttls" else {}
        if login:
            self.options |= {"authenticator": authenticate, "auth_required": True}
        super().__init__(Handler(), hostname="127.0.0.1", port=0, ssl_context=context if mode == "implicit" else None)

    def factory(self):
        return SMTP(self.handler, **self.options)

    def _trigger_server(self):
        # The controller would connect to the port that was asked for, which is none in particular.
        socket.create_connection(self.server.sockets[0].getsockname(), 5).close()


server = Server(sys.argv[1], "login" in sys.argv[2:])
server.start()
say(f"port {server.server.sockets[0].getsockname()[1]}")
sys.stdin.read()
server.stop()
