"""Huawei Cloud on the wire: the seed page's request and statuses, tokens, lock-out, broken
requests. Signed here, by the contract's words, so that no SDK stands between."""

import hashlib
import hmac
import http.client
import json
import time
from urllib.parse import parse_qsl, quote, unquote

from ..report import eventually
from ..resp import can_login
from .huawei_driver import project_of

NAME = "huawei wire"


class Answer:
    """Status, headers, bytes."""

    def __init__(self, reply):
        self.status, self.raw = reply.status, reply.read()
        self.headers = {name.lower(): value for name, value in reply.getheaders()}

    def json(self):
        return json.loads(self.raw)


class Caller:
    """One key pair; `send` signs unless other credentials are given."""

    def __init__(self, service, key=None, secret=None):
        self.service = service
        self.key, self.secret = key or service.access_key, secret or service.secret_key

    def signed(self, method, target, body, headers, at):
        """SDK-HMAC-SHA256 over host and date."""
        path, _, query = target.partition("?")
        segments = [quote(unquote(s), safe="-_.~") for s in path.split("/")]
        canonical = "/".join(segments) + ("" if path.endswith("/") else "/")
        pairs = sorted(parse_qsl(query, keep_blank_values=True))
        enc = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in pairs)
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        text = "\n".join((method, canonical, enc, f"host:{self.service.address}",
                          f"x-sdk-date:{date}", "", "host;x-sdk-date",
                          hashlib.sha256(body).hexdigest()))
        sts = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(text.encode()).hexdigest()}"
        signature = hmac.new(self.secret.encode(), sts.encode(), hashlib.sha256).hexdigest()
        return {"X-Sdk-Date": date, "Authorization":
                f"SDK-HMAC-SHA256 Access={self.key}, SignedHeaders=host;x-sdk-date, "
                f"Signature={signature}", **headers}

    def send(self, method, target, body=None, sign=True, at=None, **headers):
        """`body` is bytes, or what becomes JSON; names of headers with underscores."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if sign:
            headers = self.signed(method, target, body or b"", headers, at or time.time())
        host, port = self.service.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            connection.request(method, target, body=body,
                               headers={"Content-Type": "application/json", **headers})
            return Answer(connection.getresponse())
        finally:
            connection.close()


class Wire:
    """All of it, over one instance that is empty of custom accounts and is left so."""

    def __init__(self, report, service, instance, fleet, vault):
        self.report, self.service, self.fleet, self.vault = report, service, fleet, vault
        self.root = Caller(service)
        self.project = project_of(service)
        self.at = f"/v2/{self.project}/instances/{instance}"
        self.instance = instance

    def check(self, what, good, detail=""):
        return self.report.check(NAME, what, good, detail)

    def equal(self, what, got, want):
        return self.report.equal(NAME, what, got, want)

    def secret(self, text):
        self.vault.add(text)
        return text

    def key(self, role):
        """A key pair of its own for what would spoil another."""
        code, out, err = self.service.run("key", "create", "--role", role, "--json")
        if code:
            raise RuntimeError(f"claviger key create ended with {code}: {err.strip()}")
        made = json.loads(out)
        # Shown once, as promised: that is no leak.
        self.service.output = self.service.output.replace(made["secret"], "")
        self.vault.add(made["secret"])
        return Caller(self.service, made["id"], made["secret"])

    def refused(self, what, answer, status, code, message=None):
        """The seed's members, in every status."""
        body = answer.json()
        good = answer.status == status and body.get("error_code") == code
        good = good and isinstance(body.get("error_msg"), str)
        good = good and "error_ext_msg" in body and body["error_ext_msg"] is None
        good = good and bool(answer.headers.get("x-request-id"))
        good = good and (message is None or message in body["error_msg"])
        self.check(f"{what}: {status} {code}", good, f"got {answer.status} {answer.raw[:300]}")
        if self.service.error_bodies is not None:
            self.service.error_bodies.append(answer.raw)

    def accounts(self):
        return self.root.send("GET", f"{self.at}/accounts").json()["accounts"]

    def create(self, name, caller=None, **more):
        body = {"account_name": name, "account_role": "read",
                "account_password": self.secret(f"Wire-{name}-1"), **more}
        return (caller or self.root).send("POST", f"{self.at}/accounts", body)

    def id_of(self, name):
        return next(a["account_id"] for a in self.accounts() if a["account_name"] == name)

    def delete(self, name):
        return self.root.send("DELETE", f"{self.at}/accounts/{self.id_of(name)}")

    def run(self):
        self.seed()
        self.spellings()
        self.broken()
        self.callers()
        self.tokens()
        self.lock_out()
        self.read_policy()
        self.quota()

    def seed(self):
        """The page "Deleting an ACL Account": its request, its example, its statuses."""
        self.create("wire-seed")
        account = f"{self.at}/accounts/{self.id_of('wire-seed')}"
        auditor = self.key("auditor")
        self.refused("deleting without the right", auditor.send("DELETE", account), 403,
                     "DCS.2003")
        self.refused("deleting unsigned", self.root.send("DELETE", account, sign=False), 401,
                     "APIGW.0301", "x-auth-token not found")
        self.refused("a path that leads nowhere", self.root.send("DELETE", f"{account}/x"), 404,
                     "APIGW.0101")
        self.refused("an unknown instance",
                     self.root.send("DELETE", account.replace(self.instance, "r-nowhere")), 404,
                     "DCS.3022")
        done = self.root.send("DELETE", account)
        self.equal("the seed's request is answered 200", done.status, 200)
        self.check("and carries a request id", done.headers.get("x-request-id"))
        self.check("the account leaves the list", eventually(
            lambda: "wire-seed" not in [a["account_name"] for a in self.accounts()]))
        again = self.root.send("DELETE", account)
        self.refused("the seed's example", again, 400, "DCS.4961")
        self.equal("its members to the letter", again.json(), {
            "error_code": "DCS.4961", "error_msg": "Acl account request param invalid.",
            "error_ext_msg": None})

    def spellings(self):
        want = self.root.send("GET", f"{self.at}/accounts").raw
        for what, target, body in (
            ("a slash at the end", f"{self.at}/accounts/", None),
            ("an escaped path", f"{self.at}/acc%6funts", None),
            ("a GET with a JSON body", f"{self.at}/accounts", {}),
            ("a GET with any body", f"{self.at}/accounts", b"x"),
            ("an unknown parameter", f"{self.at}/accounts?x=1&x=2&y", None),
        ):
            answer = self.root.send("GET", target, body)
            self.equal(f"{what} changes nothing", (answer.status, answer.raw), (200, want))
        at = time.time()
        twice = [self.root.send("GET", f"{self.at}/accounts", at=at).status for _ in range(2)]
        self.equal("the same request twice is taken twice", twice, [200, 200])

    def broken(self):
        accounts = f"{self.at}/accounts"
        post = [
            ("an empty body", b"", "DCS.4004"),
            ("no JSON", b"x", "DCS.4005"),
            ("a list", b"[]", "DCS.4005"),
            ("bytes that are no text", b'{"account_name":"\xff"}', "DCS.4005"),
            ("a member twice", b'{"account_name":"a","account_name":"b"}', "DCS.4005"),
            ("nesting without end", b"[" * 50_000, "DCS.4005"),
            ("nothing in it", b"{}", "DCS.4961"),
            ("a number for a name", b'{"account_name":1}', "DCS.4961"),
        ]
        for what, body, code in post:
            self.refused(what, self.root.send("POST", accounts, body), 400, code)
        for what, target, status, code in (
            ("a malformed limit", f"{self.at}/tasks?limit=x", 400, "DCS.4800"),
            ("a limit of nothing", f"{self.at}/tasks?limit=0", 400, "DCS.4800"),
            ("a negative offset", f"{self.at}/tasks?offset=-1", 400, "DCS.4800"),
            ("a limit twice", f"{self.at}/tasks?limit=1&limit=2", 400, "DCS.4800"),
            ("a malformed time", f"{self.at}/tasks?start_time=now", 400, "DCS.4800"),
            ("a malformed escape", f"{self.at}/tasks?limit=%zz", 400, "DCS.4800"),
            ("a malformed task", f"{self.at}/tasks/x", 400, "DCS.4070"),
            ("an unknown task", f"{self.at}/tasks/999999999", 404, "DCS.4001"),
            ("a malformed instance", f"/v2/{self.project}/instances/a%20b/accounts", 400,
             "DCS.4061"),
            ("a malformed project", f"/v2/x/instances/{self.instance}/accounts", 400, "DCS.4002"),
            ("another's project", f"/v2/{'f' * 32}/instances/{self.instance}/accounts", 401,
             "DCS.1004"),
            ("another's project, whatever is asked", f"/v2/{'f' * 32}/instances/r-nowhere", 401,
             "DCS.1004"),
            ("an escaped slash", accounts.replace("/accounts", "%2Faccounts"), 404, "APIGW.0101"),
            ("two slashes", f"{accounts}//", 404, "APIGW.0101"),
            ("dots", f"{accounts}/../accounts", 404, "APIGW.0101"),
        ):
            self.refused(what, self.root.send("GET", target), status, code)
        for method in ("PATCH", "PUT", "DELETE"):
            self.refused(f"{method} of the list", self.root.send(method, accounts, b"{}"), 405,
                         "DCS.5001")
        large = b'{"description":"' + b"x" * (2 << 20) + b'"}'
        self.refused("a body without end", self.root.send("POST", accounts, large), 413,
                     "APIGW.0201")

    def callers(self):
        get = ("GET", f"{self.at}/accounts")
        now = time.time()
        for what, off in (("an old date", -905), ("a date to come", 905)):
            self.refused(what, self.root.send(*get, at=now + off), 401, "APIGW.0301",
                         "signature expired")
        for off in (-880, 880):
            self.equal(f"{off} seconds are within the window",
                       self.root.send(*get, at=now + off).status, 200)
        for what, value, message in (
            ("another scheme", "SDK-HMAC-SHA512 Access=a, SignedHeaders=b, Signature=c",
             "unsupported"),
            ("a malformed header", "SDK-HMAC-SHA256 x", "parse"),
        ):
            answer = self.root.send(*get, sign=False, Authorization=value)
            self.refused(what, answer, 401, "APIGW.0301", message)
        self.refused("a temporary key's token where none was issued",
                     self.root.send(*get, X_Security_Token="x"), 401, "APIGW.0301")
        wrong = Caller(self.service, secret=self.secret("wrong-secret-of-the-wire"))
        answer = wrong.send(*get)
        self.refused("a wrong secret", answer, 401, "APIGW.0301", "canonicalRequest:GET|/v2/")
        self.equal("the right one ends the count", self.root.send(*get).status, 200)

    def token(self, caller, scope=None, user=None):
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "domain": {"name": "any"}, "name": caller.key, "password": caller.secret,
            **(user or {})}}}}}
        if scope:
            body["auth"]["scope"] = scope
        return caller.send("POST", "/v3/auth/tokens", body, sign=False)

    def tokens(self):
        caller = self.key("operator")
        made = self.token(caller, {"project": {"name": "cn-north-4"}})
        token = made.headers.get("x-subject-token", "")
        self.vault.add(token)
        body = made.json().get("token", {})
        self.equal("a token is made: 201, for the project and the user",
                   (made.status, body["project"]["id"], body["user"]["name"]),
                   (201, self.project, caller.key))
        expires = time.mktime(time.strptime(body["expires_at"][:19], "%Y-%m-%dT%H:%M:%S"))
        issued = time.mktime(time.strptime(body["issued_at"][:19], "%Y-%m-%dT%H:%M:%S"))
        self.equal("it is good for 24 hours", round(expires - issued), 86_400)

        def by(value, target=None, **more):
            return caller.send("GET", target or f"{self.at}/accounts", sign=False,
                               X_Auth_Token=value, **more)

        self.equal("it reads", by(token).status, 200)
        body = {"account_name": "wire-token", "account_role": "read",
                "account_password": self.secret("Wire-by-token-1")}
        self.equal("it changes", caller.send("POST", f"{self.at}/accounts", body, sign=False,
                                             X_Auth_Token=token).status, 200)
        self.delete("wire-token")
        self.refused("another's project with it",
                     by(token, f"/v2/{'f' * 32}/instances/{self.instance}/accounts"), 401,
                     "DCS.1004")
        spoiled = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
        for what, value in (("one byte changed", spoiled), ("half of it", token[:-8]),
                            ("anything", "gAAAAABf"), ("something long", "x" * 9_000)):
            self.refused(f"a token, {what}", by(value), 401, "APIGW.0301", "decrypt token fail")
        again = caller.send("POST", "/v3/auth/tokens", {"auth": {
            "identity": {"methods": ["token"], "token": {"id": token}},
            "scope": {"domain": {"name": "any"}}}}, sign=False)
        self.vault.add(again.headers.get("x-subject-token", ""))
        self.equal("a token makes a token, for the domain",
                   (again.status, again.json()["token"].get("domain", {}).get("name")),
                   (201, "claviger"))
        self.refused("a token for another's project",
                     self.token(caller, {"project": {"id": "f" * 32}}), 401, "DCS.1004")
        for what, user in (("a wrong password", {"password": self.secret("wrong-password-1")}),
                           ("an unknown user", {"name": "nobody"})):
            self.refused(what, self.token(caller, user=user), 401, "APIGW.0301",
                         "The username or password is wrong.")
        for path, member in (("/v3/projects?name=cn-north-4", "projects"),
                             ("/v3/auth/domains", "domains"), ("/v3/users", "users")):
            rows = by(token, path).json()[member]
            self.equal(f"GET {path} has one row", len(rows), 1)
        regions = by(token, "/v3/regions").json()["regions"]
        self.check("GET /v3/regions has the instance's", regions)
        self.service.run("key", "revoke", caller.key)
        self.refused("a token whose key was revoked", by(token), 401, "APIGW.0301")
        self.refused("a token for a revoked key", self.token(caller), 401, "APIGW.0301",
                     "The username or password is wrong.")

    def lock_out(self):
        good = self.key("operator")
        bad = Caller(self.service, good.key, self.secret("not-this-one-at-all"))
        get = ("GET", f"{self.at}/accounts")
        for number in range(5):
            self.refused(f"bad signature {number + 1}", bad.send(*get), 401, "APIGW.0301",
                         "verify aksk signature fail")
        self.equal("after five, a good one is taken", good.send(*get).status, 200)
        for _ in range(6):
            bad.send(*get)
        self.refused("after six in a row, a good one is not", good.send(*get), 401, "APIGW.0301",
                     "AK access failed to reach the limit,forbidden")
        self.equal("other keys are not concerned", self.root.send(*get).status, 200)

    def read_policy(self):
        for policy, status in (("master", 200), ("replica", 400), ("master-replica", 400),
                               ("any", 400)):
            answer = self.create(f"wire-{policy}", account_read_policy=policy)
            self.equal(f"account_read_policy {policy} where replicas serve no reads",
                       answer.status, status)
            if status == 400:
                self.refused(f"account_read_policy {policy}", answer, 400, "DCS.4961")
        self.delete("wire-master")
        self.replica_reads("on")
        for policy in ("replica", "master-replica"):
            name = f"wire-{policy}"
            made = self.create(name, account_read_policy=policy)
            row = next(a for a in self.accounts() if a["account_name"] == name)
            self.equal(f"account_read_policy {policy} where they do",
                       (made.status, row["account_read_policy"]), (200, policy))
        changed = self.root.send("PUT", f"{self.at}/accounts/{self.id_of('wire-replica')}/role",
                                 {"account_read_policy": "master"})
        row = next(a for a in self.accounts() if a["account_name"] == "wire-replica")
        self.equal("it can be taken back", (changed.status, row["account_read_policy"]),
                   (200, None))
        for policy in ("replica", "master-replica"):
            self.delete(f"wire-{policy}")
        self.replica_reads("off")

    def replica_reads(self, switch):
        code, out, err = self.service.run(
            "instance", "set", self.instance, "--replica-reads", switch)
        self.check(f"claviger instance set --replica-reads {switch}", code == 0, out + err)

    def quota(self):
        # What is being deleted leaves its place at once.
        names = [f"wire-q{number}" for number in range(18)]
        made = [self.create(name).status for name in names]
        self.equal("18 accounts can be made", made, [200] * 18)
        self.refused("a 19th", self.create("wire-q18"), 400, "DCS.4039")
        self.check("the last one logs in", eventually(lambda: all(
            can_login(node.port, names[-1], f"Wire-{names[-1]}-1") for node in self.fleet.nodes)))
        for name in names:
            self.delete(name)
        self.check("and all go", eventually(
            lambda: all(a["account_type"] == "default" for a in self.accounts()), 60))

