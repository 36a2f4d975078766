"""One ClientToken sent a hundred times at once, and across SIGKILL of the service.

One account comes of it, and a hundred answers that differ in nothing but their RequestId, which
names the request and not the change.
"""

import http.client
import threading

from ...report import eventually
from ...resp import can_login
from .signer import Signer

NAME = "volcengine tokens"
AT_ONCE = 100


class Caller(threading.Thread):
    """Sends the one request once its fellows are ready."""

    def __init__(self, service, body, start):
        super().__init__(daemon=True)
        self.signer, self.body, self._start = Signer(service), body, start
        self.answer = None

    def run(self):
        self._start.wait()
        try:
            self.answer = self.signer.call("CreateDBAccount", self.body)
        except (OSError, http.client.HTTPException):
            pass


def flood(service, body, count, meanwhile=None):
    """The answers of so many equal calls at once; those without one are left out."""
    start = threading.Barrier(count + 1)
    callers = [Caller(service, body, start) for _ in range(count)]
    for caller in callers:
        caller.start()
    start.wait()
    if meanwhile:
        meanwhile(callers)
    for caller in callers:
        caller.join(60)
    return [caller.answer for caller in callers if caller.answer]


def without_id(answer):
    body = answer.json()
    body["ResponseMetadata"].pop("RequestId")
    return answer.status, body


def run(report, service, instance, fleet, vault):
    """Every step leaves one account, which the next one's token is not."""
    def body(name):
        password = f"Token@{name}"
        vault.add(password)
        return {"InstanceId": instance, "AccountName": name, "RoleName": "ReadWrite",
                "Password": password, "ClientToken": f"Once-{name}"}

    # A connection each: the service is killed in between.
    def made(name):
        one = {"InstanceId": instance, "AccountName": name}
        return Signer(service).call("ListDBAccount", one).result["Accounts"]

    def tasks():
        page = {"InstanceId": instance, "PageNumber": 1, "PageSize": 100,
                "TaskName": "CreateDBAccount"}
        return Signer(service).call("DescribeTasks", page).result["Total"]

    before = tasks()
    once = body("once_a")
    answers = flood(service, once, AT_ONCE)
    report.equal(NAME, "a hundred calls at once get a hundred answers", len(answers), AT_ONCE)
    bodies = [without_id(answer) for answer in answers]
    report.check(NAME, "the hundred answers are equal", all(b == bodies[0] for b in bodies),
                 str(bodies[:2]))
    report.equal(NAME, "and say 200", bodies[0][0], 200)
    ids = {answer.json()["ResponseMetadata"]["RequestId"] for answer in answers}
    report.equal(NAME, "each with its own RequestId", len(ids), AT_ONCE)
    report.equal(NAME, "there is one account", len(made("once_a")), 1)
    report.equal(NAME, "and it was made once", tasks() - before, 1)

    service.kill()
    service.start()
    signer = Signer(service)
    again = signer.call("CreateDBAccount", once)
    report.equal(NAME, "after kill -9 the same call gets the same answer", without_id(again),
                 bodies[0])
    other = signer.call("CreateDBAccount", {**once, "RoleName": "ReadOnly"})
    report.equal(NAME, "and with another role it is refused", (other.status, other.code),
                 (400, "ParamError"))
    report.equal(NAME, "it was still made once", tasks() - before, 1)
    killed_amidst(report, service, fleet, body, made)
    # What was done is remembered even where the account is gone since.
    signer = Signer(service)
    for name in ("once_a", "once_b"):
        signer.call("DeleteDBAccount", {"InstanceId": instance, "AccountName": name})
    report.check(NAME, "all are deleted", eventually(
        lambda: not any(name.startswith("once_") for n in fleet.nodes for name in n.users())))
    # The list has them until the nodes' own files are written too.
    report.check(NAME, "and listed no more", eventually(
        lambda: not made("once_a") and not made("once_b")))
    again = signer.call("CreateDBAccount", once)
    report.equal(NAME, "the token of a deleted account makes no new one",
                 (without_id(again), made("once_a")), (bodies[0], []))
    gone = signer.call("CreateDBAccount", {**once, "InstanceId": "redis-none"})
    report.equal(NAME, "an unknown instance is told before a known token",
                 (gone.status, gone.code), (400, "InstanceNotExist"))


def killed_amidst(report, service, fleet, body, made):
    """The service is killed while the hundred are on their way, and all of them ask again."""
    once = body("once_b")

    def kill(callers):
        eventually(lambda: any(caller.answer for caller in callers), 10, every=0.0005)
        service.kill()

    first = flood(service, once, AT_ONCE, kill)
    service.start()
    second = flood(service, once, AT_ONCE)
    what = f"killed after {len(first)} of {AT_ONCE} answers"
    report.equal(NAME, f"{what}, all ask again and are answered", len(second), AT_ONCE)
    bodies = [without_id(answer) for answer in first + second]
    report.check(NAME, f"{what}: answers before and after are equal",
                 all(b == bodies[0] for b in bodies) and bodies[0][0] == 200, str(bodies[:2]))
    report.equal(NAME, f"{what}: there is one account", len(made("once_b")), 1)
    for node in fleet.nodes:
        report.check(NAME, f"{what}: it logs in on the {node.role}", eventually(
            lambda at=node: can_login(at.port, "once_b", once["Password"])))
