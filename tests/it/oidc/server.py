"""An identity provider (oidc-provider-mock) on a free port of loopback. It says its port, does what each line of its standard input asks,
and ends when that does. What a browser would have asked of it, `sign_in` does; `forge` signs what no provider would."""

import base64
import hashlib
import hmac
import json
import logging
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import warnings

warnings.simplefilter("ignore")

import flask
import oidc_provider_mock
from authlib.jose import JsonWebSignature, RSAKey
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = oidc_provider_mock.app()
server = make_server("127.0.0.1", 0, app, threaded=True)
base = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
with app.test_request_context("/"):
    app.preprocess_request()
    storage = flask.g.oidc_provider_mock_storage


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def sign_in(sub, client="billing"):
    """The code flow, as a browser and an application go through it; answers the ID token."""
    asked = {"client_id": client, "redirect_uri": "http://localhost/back", "response_type": "code", "scope": "openid email"}
    url = f"{base}/oauth2/authorize?{urllib.parse.urlencode(asked)}"
    try:
        urllib.request.build_opener(Stay).open(url, urllib.parse.urlencode({"sub": sub}).encode())
    except urllib.error.HTTPError as error:
        code = urllib.parse.parse_qs(urllib.parse.urlparse(error.headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked["redirect_uri"], "client_id": client, "client_secret": "x"}
    with urllib.request.urlopen(f"{base}/oauth2/token", urllib.parse.urlencode(form).encode()) as answer:
        return json.load(answer)["id_token"]


def knows(sub, claims):
    body = json.dumps(claims).encode()
    request = urllib.request.Request(f"{base}/users/{sub}", body, {"content-type": "application/json"}, method="PUT")
    urllib.request.urlopen(request).read()
    return ""


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header, claims, key):
    """A token of any header and claims, by the provider's key, by another, by the public key as if that were a secret, or by nothing."""
    if key in ("own", "other"):
        signing = storage.jwk if key == "own" else RSAKey.generate_key(2048, is_private=True)
        return JsonWebSignature().serialize_compact(header, json.dumps(claims).encode(), signing).decode()
    text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    public = storage.jwk.as_pem(is_private=False)
    return f"{text}.{encoded(hmac.digest(public, text.encode(), hashlib.sha256)) if key == 'public' else ''}"


def published():
    """The name of the provider's key."""
    return storage.jwk.as_dict(is_private=False)["kid"]


def rotate():
    storage.jwk = RSAKey.generate_key(2048, is_private=True)
    return ""


print(f"port {server.server_port}", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"sign_in": sign_in, "knows": knows, "forge": forge, "published": published, "rotate": rotate}[asked.pop("do")](**asked)), flush=True)
