"""Requests signed by hand, for what no SDK would send: old clocks, replays, broken fields.

Written from the documentation of the two signature versions, independently of claviger's code.
"""

import base64
import hashlib
import hmac
import http.client
import json
import uuid
from datetime import datetime, timezone
from urllib.parse import quote


def encode(text):
    """Percent-encoding as both signatures want it."""
    return quote(str(text), safe="-_.~")


def canonical(params):
    """Parameters sorted by name, encoded and joined."""
    return "&".join(f"{encode(k)}={encode(params[k])}" for k in sorted(params))


def now(skew=0):
    return datetime.fromtimestamp(
        datetime.now(timezone.utc).timestamp() + skew, timezone.utc
    ).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reply:
    """Status, headers and the body as bytes."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.raw = response.read()

    @property
    def text(self):
        return self.raw.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.raw)

    @property
    def code(self):
        return self.json().get("Code")


class Signer:
    """Signs and sends over its own connection; one per thread."""

    def __init__(self, service):
        self.service = service
        self.connection = http.client.HTTPConnection(service.address, timeout=10)

    def send(self, method, target, body=None, headers=None):
        """One exchange; a broken connection is raised, never retried."""
        try:
            self.connection.request(method, target, body, headers or {})
            reply = Reply(self.connection.getresponse())
            if reply.status != 200:
                self.service.error_bodies.append(reply.raw)
            return reply
        except BaseException:
            self.connection.close()
            raise

    def common(self, action, skew=0):
        return {
            "Action": action, "Version": "2015-01-01", "AccessKeyId": self.service.access_key,
            "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex, "Timestamp": now(skew),
        }

    def v1(self, action, params=None, method="GET", form=False, skew=0, changed=None, key=None):
        """RPC V1. `changed` overrides common parameters (None removes one) before signing; `key`
        signs with another secret."""
        everything = {**self.common(action, skew), "Format": "JSON", **(params or {})}
        for name, value in (changed or {}).items():
            everything.pop(name, None)
            if value is not None:
                everything[name] = value
        text = f"{method}&%2F&{encode(canonical(everything))}"
        key = f"{key or self.service.secret_key}&".encode()
        digest = hmac.new(key, text.encode(), hashlib.sha1).digest()
        everything["Signature"] = base64.b64encode(digest).decode()
        encoded = canonical(everything)
        if form:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            return self.send(method, "/", encoded, kind)
        return self.send(method, f"/?{encoded}")

    def acs3(self, action, params=None, skew=0, key=None):
        """ACS3-HMAC-SHA256 with an empty body."""
        query = canonical(params or {})
        empty = hashlib.sha256(b"").hexdigest()
        headers = {
            "host": self.service.address, "x-acs-action": action, "x-acs-version": "2015-01-01",
            "x-acs-date": now(skew), "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-content-sha256": empty,
        }
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        request = f"POST\n/\n{query}\n{lines}\n{names}\n{empty}"
        text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = (key or self.service.secret_key).encode()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        headers["Authorization"] = (
            f"ACS3-HMAC-SHA256 Credential={self.service.access_key},SignedHeaders={names},"
            f"Signature={signature}"
        )
        return self.send("POST", f"/?{query}" if query else "/", None, headers)
