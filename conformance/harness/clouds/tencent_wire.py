"""Tencent Cloud's wire itself: the seed's sample, broken and forged requests, rates, tasks.

Signed by hand, from the documentation of the two signatures and independently of claviger.
"""

import base64
import hashlib
import hmac
import http.client
import json
import re
import time
import uuid
from datetime import datetime, timezone
from urllib.parse import urlencode

from ..report import eventually

NAME = "tencent wire"
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FORM = "application/x-www-form-urlencoded"


def digest(key, text, method=hashlib.sha256):
    return hmac.new(key, text.encode(), method).digest()


class Signer:
    """Signs and sends over a connection of its own for each request."""

    def __init__(self, service):
        self.service = service

    def send(self, method, target, body, headers):
        connection = http.client.HTTPConnection(self.service.address, timeout=10)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        if b'"Error"' in raw:
            self.service.error_bodies.append(raw)
        return answer, raw

    def tc3(self, action, params=None, method="POST", body=None, kind="application/json",
            skew=0, day=None, key=None, access_key=None, unsigned=False, changed=None, proxy=None):
        """TC3. `changed` overrides headers after signing (None removes one); `proxy` is a host
        for which this service stands as the HTTP proxy."""
        stamp = int(time.time()) + skew
        day = day or datetime.fromtimestamp(stamp, timezone.utc).strftime("%Y-%m-%d")
        query = ""
        if method == "GET":
            kind, query, body = FORM, urlencode(params or {}), b""
        elif body is None:
            body = json.dumps(params or {}).encode()
        host = proxy or self.service.address
        payload = b"UNSIGNED-PAYLOAD" if unsigned else body
        request = (f"{method}\n/\n{query}\ncontent-type:{kind}\nhost:{host}\n\ncontent-type;host\n"
                   f"{hashlib.sha256(payload).hexdigest()}")
        scope = f"{day}/redis/tc3_request"
        text = (f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n"
                f"{hashlib.sha256(request.encode()).hexdigest()}")
        secret = f"TC3{key or self.service.secret_key}".encode()
        for part in scope.split("/"):
            secret = digest(secret, part)
        headers = {
            "Content-Type": kind, "Host": host, "X-TC-Action": action,
            "X-TC-Version": "2018-04-12", "X-TC-Region": "ap-guangzhou",
            "X-TC-Timestamp": str(stamp),
            "Authorization": f"TC3-HMAC-SHA256 Credential="
                             f"{access_key or self.service.access_key}/{scope}, "
                             f"SignedHeaders=content-type;host, "
                             f"Signature={digest(secret, text).hex()}",
        }
        if unsigned:
            headers["X-TC-Content-SHA256"] = "UNSIGNED-PAYLOAD"
        for name, value in (changed or {}).items():
            headers.pop(name, None)
            if value is not None:
                headers[name] = value
        base = f"http://{proxy}" if proxy else ""
        return self.send(method, f"{base}/?{query}" if query else f"{base}/", body, headers)

    def v1(self, action, params=None, method="GET", changed=None, key=None, tamper=None):
        """Version 1. `changed` overrides fields before signing, `tamper` after it."""
        fields = {
            "Action": action, "Version": "2018-04-12", "Region": "ap-guangzhou",
            "Timestamp": str(int(time.time())), "Nonce": str(uuid.uuid4().int % 65536 + 1),
            "SecretId": self.service.access_key, "SignatureMethod": "HmacSHA1", **(params or {}),
        }
        for name, value in (changed or {}).items():
            fields.pop(name, None)
            if value is not None:
                fields[name] = value
        joined = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
        text = f"{method}{self.service.address}/?{joined}"
        hashed = hashlib.sha256 if fields.get("SignatureMethod") == "HmacSHA256" else hashlib.sha1
        secret = (key or self.service.secret_key).encode()
        fields["Signature"] = base64.b64encode(digest(secret, text, hashed)).decode()
        fields.update(tamper or {})
        encoded = urlencode(fields)
        if method == "GET":
            return self.send("GET", f"/?{encoded}", None, {})
        return self.send("POST", "/", encoded, {"Content-Type": FORM})


def response(reply):
    return json.loads(reply[1])["Response"]


def code(reply):
    return response(reply).get("Error", {}).get("Code", "ok")


class Wire:
    """One walk; it leaves no accounts of its own."""

    def __init__(self, report, service, instance, fleet, vault):
        self.report, self.service, self.instance = report, service, instance
        self.fleet, self.vault = fleet, vault
        self.signer = Signer(service)

    def check(self, what, good, detail=""):
        self.report.check(NAME, what, good, detail)

    def equal(self, what, got, want):
        self.report.equal(NAME, what, got, want)

    def password(self, text):
        self.vault.add(text)
        return text

    def listing(self, **more):
        return {"InstanceId": self.instance, "Limit": 20, "Offset": 0, **more}

    def run(self):
        self.seed()
        self.forms()
        self.gateway()
        self.permissions()
        self.forged()
        self.throttled()
        self.away()

    def make(self, name, password):
        reply = self.signer.tc3("CreateInstanceAccount", {
            "InstanceId": self.instance, "AccountName": name, "AccountPassword": password,
            "ReadonlyPolicy": ["master"], "Privilege": "r"})
        return response(reply)["TaskId"]

    def status(self, task):
        return response(self.signer.tc3("DescribeTaskInfo", {"TaskId": task}))

    def succeeded(self, task):
        return eventually(lambda: self.status(task)["Status"] == "succeed", 30, 0.1)

    def seed(self):
        """The page's example: a GET form, and the answer member by member."""
        self.check("the sample's account is made",
                   self.succeeded(self.make("test_account", self.password("Seed-pass-1"))))
        answer, raw = self.signer.v1("ModifyInstanceAccount", {
            "InstanceId": self.instance, "AccountName": "test_account"})
        body = json.loads(raw)
        self.equal("the sample request is answered with 200 and bare application/json",
                   (answer.status, answer.getheader("Content-Type")), (200, "application/json"))
        self.equal("the answer has Response alone", list(body), ["Response"])
        self.equal("Response has TaskId and RequestId", list(body["Response"]),
                   ["TaskId", "RequestId"])
        self.check("TaskId is a whole number, RequestId a UUID",
                   type(body["Response"]["TaskId"]) is int
                   and UUID.fullmatch(body["Response"]["RequestId"]), str(body))
        self.check("its task succeeds", self.succeeded(body["Response"]["TaskId"]))
        for name in ("FailedOperation.UnSupportError", "FailedOperation.SystemError"):
            params = {"InstanceId": self.instance, "AccountName": "test_account",
                      "AccountPassword": "Seed-pass-1", "Privilege": "r",
                      "ReadonlyPolicy.0": "master"}
            if name.endswith("UnSupportError"):
                params["EncryptPassword"] = "True"
            self.equal(f"a code of the seed page: {name}",
                       code(self.signer.v1("CreateInstanceAccount", params)), name)
        done, _, err = self.service.run("instance", "set", self.instance, "--pause")
        if done == 0:
            reply = self.signer.tc3("ModifyInstanceAccount", {
                "InstanceId": self.instance, "AccountName": "test_account"})
            self.equal("a code of the seed page: a paused instance", code(reply),
                       "ResourceUnavailable.InstanceStatusError")
            self.service.run("instance", "set", self.instance, "--resume")
        else:
            self.report.skip(f"{NAME}: a paused instance", err.strip()[:100])
        gone = self.signer.tc3("DeleteInstanceAccount", {
            "InstanceId": self.instance, "AccountName": "test_account"})
        self.check("the sample's account is deleted", self.succeeded(response(gone)["TaskId"]))

    def forms(self):
        list_ = "DescribeInstanceAccount"
        boundary = uuid.uuid4().hex
        parts = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in self.listing().items()) + f"--{boundary}--\r\n"
        multipart = f"multipart/form-data; boundary={boundary}"
        for what, reply in (
            ("TC3 POST", self.signer.tc3(list_, self.listing())),
            ("TC3 GET", self.signer.tc3(list_, self.listing(), "GET")),
            ("TC3 UNSIGNED-PAYLOAD", self.signer.tc3(list_, self.listing(), unsigned=True)),
            ("TC3 multipart", self.signer.tc3(list_, body=parts.encode(), kind=multipart)),
            ("TC3 with a charset", self.signer.tc3(
                list_, self.listing(), kind="application/json; charset=utf-8")),
            ("TC3 through HTTP_PROXY, as Terraform's provider comes", self.signer.tc3(
                list_, self.listing(), proxy="redis.claviger.test:8080")),
            ("v1 GET", self.signer.v1(list_, self.listing())),
            ("v1 POST", self.signer.v1(list_, self.listing(), "POST")),
            ("v1 SHA-256", self.signer.v1(
                list_, self.listing(), changed={"SignatureMethod": "HmacSHA256"})),
            ("v1 without a method", self.signer.v1(
                list_, self.listing(), changed={"SignatureMethod": None})),
        ):
            self.equal(f"{what} is accepted", code(reply), "ok")
        reply = self.signer.tc3(list_, body=parts.replace(boundary, "x").encode(), kind=multipart)
        self.equal("a broken multipart body", code(reply), "InvalidRequest")

    def gateway(self):
        """The common layer's codes, and that each is a 200."""
        tc3, v1, list_ = self.signer.tc3, self.signer.v1, "DescribeInstanceAccount"
        for what, want, reply in (
            ("no region", "MissingParameter", tc3(list_, changed={"X-TC-Region": None})),
            ("no version", "MissingParameter", v1(list_, changed={"Version": None})),
            ("no SecretId", "MissingParameter", v1(list_, changed={"SecretId": None})),
            ("no InstanceId", "MissingParameter", tc3(list_)),
            ("an unknown parameter", "UnknownParameter", tc3(list_, self.listing(Foo=1))),
            ("a wrong type", "InvalidParameter", tc3(list_, self.listing(Limit="20"))),
            ("a value out of range", "InvalidParameterValue", tc3(list_, self.listing(Limit=101))),
            ("a broken body", "InvalidParameter", tc3(list_, body=b"{")),
            ("an unknown action", "InvalidAction", tc3("NoSuchAction")),
            ("an unknown version", "NoSuchVersion",
             tc3(list_, changed={"X-TC-Version": "2000-01-01"})),
            ("a bad region", "UnsupportedRegion", tc3(list_, changed={"X-TC-Region": "nowhere"})),
            ("an old time", "AuthFailure.SignatureExpire", tc3(list_, skew=-310)),
            ("a time to come", "AuthFailure.SignatureExpire", tc3(list_, skew=310)),
            ("another day", "AuthFailure.SignatureFailure", tc3(list_, day="2020-01-01")),
            ("SKIP", "AuthFailure.InvalidAuthorization",
             tc3(list_, changed={"Authorization": "SKIP"})),
            ("an unknown key", "AuthFailure.SecretIdNotFound",
             tc3(list_, access_key="AKIDnosuch")),
            ("another secret", "AuthFailure.SignatureFailure", tc3(list_, key="x")),
            ("another secret by v1", "AuthFailure.SignatureFailure", v1(list_, key="x")),
            ("a token", "AuthFailure.TokenFailure", tc3(list_, changed={"X-TC-Token": "t"})),
            ("a PUT", "UnsupportedProtocol", tc3(list_, method="PUT")),
        ):
            self.equal(f"{what}: {want}, with status 200", (reply[0].status, code(reply)),
                       (200, want))

    def permissions(self):
        """Keys that may only read, or only on another instance."""
        for role, more, action, params, want in (
            ("auditor", [], "DeleteInstanceAccount",
             {"InstanceId": self.instance, "AccountName": "a"},
             "UnauthorizedOperation.NoCAMAuthed"),
            ("operator", [], "ModifyInstancePasswordPolicy",
             {"InstanceId": self.instance, "PasswordPolicy": {"Enabled": True}},
             "UnauthorizedOperation.NoCAMAuthed"),
            ("admin", ["--instance", "crs-another"], "DescribeTaskList",
             {"InstanceId": self.instance}, "InvalidParameter.PermissionDenied"),
        ):
            _, out, err = self.service.run("key", "create", "--role", role, *more, "--json")
            made = json.loads(out)
            secret = self.password(made["secret"])
            # The command shows it once, by design.
            self.service.output = self.service.output.replace(secret, "")
            reply = self.signer.tc3(action, params, access_key=made["id"], key=secret)
            self.equal(f"{action} by a key of role {role} {' '.join(more)}", code(reply), want)

    def forged(self):
        """A request whose body, query or a field is not what was signed; then the same twice."""
        list_ = "DescribeInstanceAccount"
        reply = self.signer.v1(list_, self.listing(), tamper={"InstanceId": "crs-another"})
        self.equal("v1 with another instance", code(reply), "AuthFailure.SignatureFailure")
        password, weak = self.password("Carried-pass-1"), self.password("carriedbutweak")
        params = {"InstanceId": self.instance, "AccountName": "conf_carried", "Privilege": "r",
                  "AccountPassword": password, "ReadonlyPolicy": ["master"]}
        flat = {k: v for k, v in params.items() if k != "ReadonlyPolicy"}
        for what, reply in (
            ("TC3", self.signer.tc3("CreateInstanceAccount", params, key="x")),
            ("TC3 GET", self.signer.tc3("CreateInstanceAccount", flat, "GET", key="x")),
            ("v1", self.signer.v1("CreateInstanceAccount", flat, key="x")),
            ("a weak password", self.signer.tc3(
                "CreateInstanceAccount", {**params, "AccountPassword": weak})),
        ):
            self.check(f"a refusal of a password by {what} does not say it",
                       code(reply) != "ok" and password.encode() not in reply[1]
                       and weak.encode() not in reply[1], reply[1].decode())
        nonce = {"Nonce": "7", "Timestamp": str(int(time.time()))}
        twice = [code(self.signer.v1(list_, self.listing(), changed=nonce)) for _ in range(2)]
        self.equal("the same request twice is accepted, as at the cloud", twice, ["ok", "ok"])

    def throttled(self):
        """More than 20 a second of one action; another action is not concerned."""
        feature = {"InstanceId": self.instance, "FeatureName": "multi-account"}
        action = "DescribeInstanceSupportFeature"
        # A full bucket has 20; a slow machine refills it while it calls.
        refused = None
        for _ in range(400):
            reply = self.signer.tc3(action, feature)
            if code(reply) != "ok":
                refused = response(reply)["Error"]
                break
        self.equal("the rate is refused in the gateway's own words", refused, {
            "Code": "RequestLimitExceeded",
            "Message": "Your current request times equals to `21` in a second, which exceeds the "
                       "frequency limit `20` for a second. Please reduce the frequency of calls."})
        other = self.signer.tc3("DescribeInstances", {})
        self.equal("another action is served meanwhile", code(other), "ok")
        back = eventually(lambda: code(self.signer.tc3(action, feature)) == "ok", 10, 0.2)
        self.check("the action is served again a second later", back)

    def away(self):
        """A node that stays away keeps the task running, by name, also over a restart."""
        replica = self.fleet.replica
        replica.stop()
        task = self.make("conf_away", self.password("Away-pass-1"))
        address = f"127.0.0.1:{replica.port}"
        named = eventually(lambda: address in self.status(task)["TaskMessage"], 20, 0.1)
        self.check("the task names the node that stays away", named, str(self.status(task)))
        self.equal("it is running", self.status(task)["Status"], "running")
        self.service.kill()
        self.service.start()
        after = self.status(task)
        self.equal("it is running after kill -9 and a restart too", after["Status"], "running")
        replica.start()
        self.check("it succeeds when the node is back", self.succeeded(task),
                   str(self.status(task)))
        self.check("and the account is on the node", "conf_away" in replica.users())
        gone = self.signer.tc3("DeleteInstanceAccount", {
            "InstanceId": self.instance, "AccountName": "conf_away"})
        self.check("its deletion succeeds", self.succeeded(response(gone)["TaskId"]))


def run(report, service, instance, fleet, vault):
    """All of it, over one instance that is empty of custom accounts and is left so."""
    Wire(report, service, instance, fleet, vault).run()
