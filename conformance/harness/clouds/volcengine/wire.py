"""The wire itself: the documented sample, every signed-header set, broken requests."""

import re

from ...report import eventually
from .signer import Signer, now

NAME = "volcengine wire"


def run(report, service, instance, fleet, vault):
    """All of it, over one instance that is empty of custom accounts and is left so."""
    signer = Signer(service)
    Wire(report, signer, instance, fleet, vault).run()


class Wire:
    def __init__(self, report, signer, instance, fleet, vault):
        self.report, self.signer, self.instance = report, signer, instance
        self.fleet, self.vault = fleet, vault

    def check(self, what, good, detail=""):
        return self.report.check(NAME, what, good, detail)

    def equal(self, what, got, want):
        return self.report.equal(NAME, what, got, want)

    def list(self, **how):
        return self.signer.call("ListDBAccount", {"InstanceId": self.instance}, **how)

    def create(self, name, **more):
        password = "Wire@pass-1"
        self.vault.add(password)
        body = {"InstanceId": self.instance, "AccountName": name, "RoleName": "ReadOnly",
                "Password": password, **more}
        return self.signer.call("CreateDBAccount", body)

    def delete(self, name):
        return self.signer.call("DeleteDBAccount", {
            "InstanceId": self.instance, "AccountName": name})

    def run(self):
        self.sample()
        self.signed_headers()
        self.presigned()
        self.metadata()
        self.not_obeyed()
        self.broken_bodies()
        self.errors_with_secrets()
        self.other_reads()
        self.quota()

    def sample(self):
        """The seed page's request to the letter, but for the instance, the time and the key."""
        self.create("test1")
        body = (f'{{\n    "InstanceId": "{self.instance}",\n    "AccountName": "test1"\n}}')
        answer = self.signer.call(
            "DeleteDBAccount", body=body, service="Redis", comma=",",
            signed=["content-type", "host", "x-date"])
        self.equal("the sample request is accepted", answer.status, 200)
        got = answer.json()
        request_id = got["ResponseMetadata"].pop("RequestId")
        self.check("it has a RequestId", re.fullmatch("[0-9a-f-]{20,}", request_id), request_id)
        self.equal("the sample response, field by field", got, {
            "ResponseMetadata": {"Action": "DeleteDBAccount", "Version": "2020-12-07",
                                 "Service": "Redis", "Region": "cn-beijing"},
            "Result": None})
        self.check("its members stand in the sample's order", re.fullmatch(
            r'\{"ResponseMetadata":\{"RequestId":"[^"]*","Action":"[^"]*","Version":"[^"]*",'
            r'"Service":"[^"]*","Region":"[^"]*"\},"Result":null\}', answer.text), answer.text)
        self.equal("the header tells the same id", answer.headers.get("x-tt-logid"), request_id)
        self.check("the account is gone from every node", eventually(lambda: not any(
            "test1" in node.users() for node in self.fleet.nodes)))

    def signed_headers(self):
        extra = {"x-sdk-invocation-id": "2625d519-a9c0-44e4-a086-c27cac7c4195",
                 "x-sdk-request": "attempt=1; max=4"}
        for what, how in (
            ("python", {"headers": extra}),
            ("go", {"signed": ["content-type", "host", "x-content-sha256", "x-date"]}),
            ("node sdk-core", {"signed": ["host", "x-content-sha256", "x-date"]}),
            ("node openapi", {"signed": ["x-content-sha256", "x-date"]}),
            ("node openapi GET", {"signed": ["x-date"]}),
            ("the sample", {"signed": ["content-type", "host", "x-date"]}),
            ("a capitalised service", {"service": "Redis"}),
            ("no blanks after commas", {"comma": ","}),
            ("another path", {"path": "/api/Redis"}),
            ("another region", {"region": "ap-southeast-1"}),
        ):
            self.equal(f"signed as {what} is accepted", self.list(**how).status, 200)

    def presigned(self):
        params = {"InstanceId": self.instance}
        for what, how, status in (
            ("a presigned address", {}, 200),
            ("one without X-SignedQueries", {"listed": False}, 200),
            ("one good for an hour, half an hour old", {"expires": 3600, "skew": -1800}, 200),
            ("one good for a minute, two minutes old", {"expires": 60, "skew": -120}, 403),
            ("one with something added", {"more": "&AccountName=other"}, 400),
            ("one with its signature cut", {"more": "0"}, 401),
        ):
            answer = self.signer.presigned("ListDBAccount", params, **how)
            self.equal(f"{what}", answer.status, status)

    def metadata(self):
        got = self.list(region="ap-southeast-1").json()["ResponseMetadata"]
        self.equal("the answer names the region of the signature", got["Region"],
                   "ap-southeast-1")
        failed = self.signer.call("ListDBAccount", {"InstanceId": "redis-none"})
        body = failed.json()
        self.equal("a failure has no Result", list(body), ["ResponseMetadata"])
        self.equal("a product's error has no CodeN", sorted(body["ResponseMetadata"]["Error"]),
                   ["Code", "Message"])
        gateway = self.list(key="another")
        self.equal("a gateway's error has its number", gateway.error.get("CodeN"), 100010)
        late = self.list(skew=-901, headers={"user-agent": "byteplus-python-sdk-v2/3.0.63"})
        self.equal("BytePlus: an old date is a 400", (late.status, late.code),
                   (400, "InvalidTimestamp"))

    def not_obeyed(self):
        """Well-signed or nearly well-signed, and still not to be obeyed."""
        auth = {"changed": {"Authorization": None}}
        cases = [
            ("no action", {"action": ""}, "MissingParameter", 400),
            ("no version", {"version": ""}, "MissingParameter", 400),
            ("an unknown action", {"action": "ResetDBAccount"}, "InvalidActionOrVersion", 404),
            ("another version", {"version": "2015-01-01"}, "InvalidActionOrVersion", 404),
            ("no Authorization", auth, "MissingAuthenticationToken", 401),
            ("nonsense for it", {"changed": {"Authorization": "HMAC-SHA256 nonsense"}},
             "InvalidAuthorization", 400),
            ("another scheme", {"changed": {"Authorization": "Basic dTpw"}},
             "InvalidAuthorization", 400),
            ("a scope without a region", {"region": ""}, "MissingRequestInfo", 400),
            ("a scope without a key", {"changed": {
                "Authorization": f"HMAC-SHA256 Credential=/{now()[:8]}/r/redis/request, "
                                 "SignedHeaders=x-date, Signature=ab"}},
             "MissingRequestInfo", 400),
            ("a scope of another day", {"day": "20200101"}, "InvalidCredential", 400),
            ("another service", {"service": "ecs"}, "ServiceNotFound", 404),
            ("no signature", {"changed": {
                "Authorization": f"HMAC-SHA256 Credential={self.signer.service.access_key}/"
                                 f"{now()[:8]}/r/redis/request, SignedHeaders=x-date"}},
             "MissingSignature", 401),
            ("an expired date", {"skew": -901}, "InvalidTimestamp", 403),
            ("a future date", {"skew": 930}, "InvalidTimestamp", 403),
            ("a malformed date", {"date": "20260102 030405Z"}, "InvalidTimestamp", 403),
            ("an unknown key", {"access_key": "AKLTNobody"}, "InvalidAccessKey", 401),
            ("a wrong secret", {"key": "wrong"}, "SignatureDoesNotMatch", 401),
            ("a wrong digest of the body", {"changed": {"x-content-sha256": "0" * 64}},
             "SignatureDoesNotMatch", 401),
            ("a wrong digest that is not signed",
             {"signed": ["host", "x-date"], "changed": {"x-content-sha256": "0" * 64}},
             "SignatureDoesNotMatch", 401),
            ("a date that is not signed", {"signed": ["host"]}, "InvalidAuthorization", 400),
            ("a temporary token", {"headers": {"x-security-token": "STS"}},
             "InvalidSecretToken", 401),
        ]
        for what, how, code, status in cases:
            how = dict(how)
            action = how.pop("action", "ListDBAccount")
            if "signed" not in how and "x-security-token" not in how.get("headers", {}):
                how["signed"] = ["content-type", "host", "x-content-sha256", "x-date"]
            if "headers" in how:
                how["signed"] = ["host", "x-content-sha256", "x-date", *how["headers"]]
            answer = self.signer.call(action, {"InstanceId": self.instance}, **how)
            self.equal(f"{what} is refused", (answer.status, answer.code), (status, code))
        for method in ("DELETE", "PUT"):
            answer = self.signer.send(method, "/?Action=ListDBAccount&Version=2020-12-07")
            self.equal(f"{method} is refused", (answer.status, answer.code),
                       (405, "MethodNotAllowed"))
        # It is good to the end of its time, for there is no nonce: that is what tokens are for.
        date = now()
        again = [self.list(date=date, signed=["x-date"]).status for _ in range(2)]
        self.equal("the same signed read may come twice", again, [200, 200])

    def broken_bodies(self):
        deep, many = "[" * 20_000, ",".join(f'"x{n}":1' for n in range(500))
        good = f'"InstanceId":"{self.instance}"'
        for what, body in (
            ("not JSON", "InstanceId"), ("a list", "[]"), ("null", "null"), ("half", "{"),
            ("two objects", "{}{}"), ("a name twice", f"{{{good},{good}}}"),
            ("an unknown name twice", f'{{"X":1,"X":2,{good}}}'),
            ("a number for a text", '{"InstanceId":7}'),
            ("a list for a text", f'{{"InstanceId":["{self.instance}"]}}'),
            ("deep nesting for a text", f'{{"InstanceId":{deep}}}'),
            ("a huge number", '{"InstanceId":1e999}'),
            ("too many members", f"{{{good},{many}}}"),
            ("bytes that are no text", b'{"InstanceId":"\xff\xfe"}'),
            ("half a surrogate", '{"InstanceId":"\\ud800"}'),
            ("nothing at all", ""),
        ):
            answer = self.signer.call("ListDBAccount", body=body)
            self.equal(f"a body of {what} is refused", (answer.status, answer.code),
                       (400, "ParamError"))
        ignored = f'{{"Extra":{"[" * 20_000}{"]" * 20_000},{good}}}'
        self.equal("an unknown member is ignored, however deep",
                   self.signer.call("ListDBAccount", body=ignored).status, 200)
        for size in (0, 101, -1, 1.5, True, 10 ** 30, "many"):
            answer = self.signer.call("DescribeDBInstances", {"PageSize": size})
            self.equal(f"a PageSize of {size} is refused", (answer.status, answer.code),
                       (400, "ParamError"))
        self.equal("a number may come as text",
                   self.signer.call("DescribeDBInstances", {"PageSize": "5"}).status, 200)

    def errors_with_secrets(self):
        """Refusals of requests that carry a password; the leak check reads their bodies."""
        for changes in ({"AccountName": "Bad"}, {"InstanceId": "redis-none"},
                        {"AccountName": "default"}, {"RoleName": "Wizard"}, {"Password": "weak"}):
            answer = self.create("conf_carried", **changes)
            self.check(f"{changes} is refused", answer.status == 400, answer.text[:200])
        answer = self.signer.call("CreateDBAccount", {
            "InstanceId": self.instance, "AccountName": "conf_carried",
            "Password": "Wire@pass-1", "RoleName": "ReadOnly"}, key="wrong")
        self.equal("so is a wrong signature over it", answer.status, 401)

    def other_reads(self):
        one = {"InstanceId": self.instance}
        region = self.signer.call("DescribeRegions").result["Regions"][0]["RegionId"]
        zones = self.signer.call("DescribeZones", {"RegionId": region}).result["Zones"]
        self.equal("DescribeZones has the one zone of the region", [z["ZoneId"] for z in zones],
                   [f"{region}-a"])
        found = self.signer.call("DescribeDBInstances", {**one, "RegionId": "nowhere"}).result
        self.equal("a region filters", found, {"Instances": [], "TotalInstancesNum": 0})
        self.create("wire_task")
        page = {"PageNumber": 1, "PageSize": 10}

        def newest():
            return self.signer.call("DescribeTasks", {**page, **one}).result["Tasks"][0]

        task = eventually(lambda: (lambda t: t if t["TaskStatus"] == "Success" else None)(newest()))
        self.equal("DescribeTasks shows the change done",
                   [task[k] for k in ("TaskAction", "Progress")] if task else newest(),
                   ["CreateDBAccount", 100])
        self.delete("wire_task")
        answer = self.signer.call("DescribeDBInstanceDetail", {"InstanceId": "redis-none"})
        self.equal("an unknown instance", (answer.status, answer.code), (400, "InstanceNotExist"))

    def quota(self):
        """Ninety-nine accounts fit beside the default one, the next does not."""
        names = [f"quota_{number}" for number in range(100)]
        statuses = {self.create(name).status for name in names[:99]}
        self.equal("ninety-nine accounts can be created", statuses, {200})
        answer = self.create(names[99])
        self.equal("the next is refused", (answer.status, answer.code), (400, "ResourceNotEnough"))
        for name in names[:99]:
            self.delete(name)
        for node in self.fleet.nodes:
            self.check(f"all are deleted from the {node.role}", eventually(
                lambda at=node: not set(names) & at.users(), 60))
