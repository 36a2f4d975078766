"""Requests signed by hand, for what no SDK would send: old clocks, broken fields, floods.

Written from the documentation of the signature, independently of claviger's code.
"""

import hashlib
import hmac
import http.client
import json
import time
from datetime import datetime, timezone
from urllib.parse import quote

from ...signer import Reply

VERSION = "2020-12-07"
# How often a request is sent again that came too soon; the vendor's clients do so as well.
THROTTLED_MAX = 100


def encode(text):
    return quote(str(text), safe="-_.~")


def canonical(params):
    """Parameters sorted by name, encoded and joined."""
    return "&".join(f"{encode(k)}={encode(params[k])}" for k in sorted(params))


def now(skew=0):
    moment = datetime.now(timezone.utc).timestamp() + skew
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y%m%dT%H%M%SZ")


class Answer(Reply):
    """An answer with its parts by name."""

    @property
    def error(self):
        return self.json()["ResponseMetadata"].get("Error") or {}

    @property
    def code(self):
        return self.error.get("Code")

    @property
    def result(self):
        return self.json()["Result"]


class Signer:
    """Signs and sends over its own connection; one per thread."""

    def __init__(self, service):
        self.service = service
        if service.tls:
            self.connection = http.client.HTTPSConnection(
                service.address, timeout=30, context=service.tls.context())
        else:
            self.connection = http.client.HTTPConnection(service.address, timeout=30)

    def send(self, method, target, body=None, headers=None):
        """One exchange, again and again while there are too many; a broken connection is raised,
        never retried."""
        try:
            for _ in range(THROTTLED_MAX):
                self.connection.request(method, target, body, headers or {})
                answer = Answer(self.connection.getresponse())
                if answer.status != 429:
                    break
                time.sleep(0.1)
            if answer.status != 200:
                self.service.error_bodies.append(answer.raw)
            return answer
        except BaseException:
            self.connection.close()
            raise

    def signature(self, request, date, scope, key=None):
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = f"HMAC-SHA256\n{date}\n{scope}\n{digest}"
        code = (key or self.service.secret_key).encode()
        for part in scope.split("/"):
            code = hmac.new(code, part.encode(), hashlib.sha256).digest()
        return hmac.new(code, text.encode(), hashlib.sha256).hexdigest()

    def call(self, action, params=None, *, body=None, skew=0, key=None, access_key=None,
             service="redis", region="cn-beijing", version=VERSION, signed=None, date=None,
             day=None, path="/", headers=None, changed=None, comma=", "):
        """The header form. `signed` chooses the signed headers, `changed` overrides headers after
        signing (None removes one); the rest replaces what its name says."""
        text = json.dumps(params or {}) if body is None else body
        raw = text if isinstance(text, bytes) else text.encode()
        digest = hashlib.sha256(raw).hexdigest()
        date = date or now(skew)
        have = {
            "content-type": "application/json; charset=utf-8", "host": self.service.address,
            "x-content-sha256": digest, "x-date": date, **(headers or {}),
        }
        signed = sorted(have) if signed is None else signed
        if "x-content-sha256" not in signed:
            have.pop("x-content-sha256")
        query = canonical({"Action": action, "Version": version})
        lines = "".join(f"{name}:{have[name]}\n" for name in signed) or "\n"
        names = ";".join(signed)
        scope = f"{day or date[:8]}/{region}/{service}/request"
        request = f"POST\n{path}\n{query}\n{lines}\n{names}\n{digest}"
        signature = self.signature(request, date, scope, key)
        credential = f"{access_key or self.service.access_key}/{scope}"
        have["Authorization"] = (f"HMAC-SHA256 Credential={credential}{comma}"
                                 f"SignedHeaders={names}{comma}Signature={signature}")
        have.update(changed or {})
        have = {name: value for name, value in have.items() if value is not None}
        return self.send("POST", f"{path}?{query}", raw, have)

    def presigned(self, action, params, expires=None, skew=0, listed=True, more=""):
        """The query form, as an address that anyone may open."""
        date = now(skew)
        scope = f"{date[:8]}/cn-beijing/redis/request"
        query = {
            "Action": action, "Version": VERSION, **params, "X-Date": date,
            "X-Algorithm": "HMAC-SHA256", "X-Credential": f"{self.service.access_key}/{scope}",
            "X-SignedHeaders": "", "X-NotSignBody": "",
        }
        if expires is not None:
            query["X-Expires"] = expires
        if listed:
            query["X-SignedQueries"] = ""
            query["X-SignedQueries"] = ";".join(sorted(query))
        empty = hashlib.sha256(b"").hexdigest()
        request = f"GET\n/\n{canonical(query)}\n\n\n\n{empty}"
        query["X-Signature"] = self.signature(request, date, scope)
        return self.send("GET", f"/?{canonical(query)}{more}")
