"""The whole life of accounts through one client of Huawei Cloud, with task polling as Terraform
does it, and with proof on the servers at every step."""

import re

from .. import rights
from ..driver import Refused
from ..report import eventually
from ..resp import RespError, Resp, can_login, login, verdict
from .huawei_driver import HuaweiDriver

PRIVILEGES = {"read": "RoleReadOnly", "write": "RoleReadWrite"}
# The punctuation that the vendor permits, but for what a shell of the harness would eat.
SPECIAL = "uW0`~!@#$%^&*()-_=+\\|{}'\",<.>/?"
DESCRIPTION = "デモ <conformance> & \"1\"\n"


class Walk:
    """One client's walk. `vault` remembers every password used, for the leak check."""

    def __init__(self, report, client, service, instance, fleet, vault):
        self.report, self.client, self.service = report, client, service
        self.instance, self.fleet, self.vault = instance, fleet, vault
        self.name = client.name
        tag = self.tag = re.sub("[^a-z0-9]", "", client.name.removeprefix("huawei"))[:16]
        self.reader, self.writer = f"{tag}-Ro", f"{tag}_rw"
        self.passwords = {}

    def run(self, log):
        with HuaweiDriver(self.client, log) as self.driver:
            self.driver.connect(self.service)
            self.start()
            self.create()
            self.grant()
            self.remark()
            self.rotate()
            self.lock_out()
            self.refusals()
            self.default_account()
            self.delete()
            if self.client.mode == "" and self.client.name == "huawei-python":
                self.delete_with_a_node_away()
            self.tasks()
            self.wrong_callers()

    # Short forms ------------------------------------------------------------------------------

    def check(self, what, good, detail=""):
        return self.report.check(self.name, what, good, detail)

    def equal(self, what, got, want):
        return self.report.equal(self.name, what, got, want)

    def answer(self, action, **params):
        return self.driver.call(action, **{"instance_id": self.instance, **params})

    def call(self, action, **params):
        return self.answer(action, **params)["body"]

    def password(self, text):
        self.vault.add(text)
        return text

    def accounts(self):
        return self.call("ListAclAccounts")["accounts"]

    def account(self, name):
        return next((a for a in self.accounts() if a["account_name"] == name), None)

    def id_of(self, name):
        return self.account(name)["account_id"]

    def wait_available(self, name):
        def available():
            account = self.account(name)
            return account if account and account["status"] == "AVAILABLE" else None

        account = eventually(available)
        self.report.need(self.name, f"{name} becomes AVAILABLE", account, f"{self.account(name)}")
        return account

    def refused(self, what, code, status, action, **params):
        """The SDK must raise its own exception with the contract's code."""
        try:
            answer = self.answer(action, **params)
        except Refused as error:
            self.check_refusal(what, error, code, status)
        else:
            self.check(f"{what} is refused", False, f"it was answered with {answer}")

    def check_refusal(self, what, error, code, status):
        kind = self.client.exception(code, status)
        good = (error.type, error.code, error.status) == (kind, code, status)
        self.check(f"{what}: {kind} {code} {status}", good,
                   f"got {error.type} {error.code} {error.status} {error.message}"[:300])

    def prove(self, name, role):
        rights.prove_rights(self.report, self.name, self.fleet, name, self.passwords[name],
                            PRIVILEGES[role])

    def normal(self):
        return sorted(a["account_name"] for a in self.accounts()
                      if a["account_type"] == "normal")

    # Steps ------------------------------------------------------------------------------------

    def start(self):
        found = self.driver.call("ListInstances", limit=100)["body"]
        rows = [r for r in found["instances"] if r["instance_id"] == self.instance]
        self.equal("ListInstances lists the instance", [r["status"] for r in rows], ["RUNNING"])
        shown = self.call("ShowInstance")
        version = ".".join(map(str, self.fleet.primary.version[:2]))
        self.equal("ShowInstance tells engine, version, mode",
                   [shown.get(k) for k in ("engine", "engine_version", "cache_mode", "port")],
                   ["Redis", version, "ha", self.fleet.primary.port])
        self.check("it is at no work", not shown.get("task"))
        self.equal("a fresh instance lists its default account",
                   [(a["account_name"], a["account_type"], a["account_role"])
                    for a in self.accounts()], [("default", "default", "write")])

    def create(self):
        self.passwords = {self.reader: self.password(SPECIAL),
                          self.writer: self.password(f"Writer.{self.tag}/1")}
        for name, role, more in ((self.reader, "read", {"description": DESCRIPTION}),
                                 (self.writer, "write", {})):
            made = self.answer("CreateAclAccount", account_name=name, account_role=role,
                               account_password=self.passwords[name], **more)
            self.equal(f"CreateAclAccount of {name} answers 200", made["status"], 200)
            account = self.account(name)
            self.check(f"{name} is in the list at once",
                       account and account["status"] in ("CREATING", "AVAILABLE"), f"{account}")
        for name, role in ((self.reader, "read"), (self.writer, "write")):
            account = self.wait_available(name)
            self.equal(f"the list tells all of {name}",
                       [account.get(k) for k in ("account_type", "account_role", "instance_id")],
                       ["normal", role, self.instance])
            self.prove(name, role)
        self.equal("the description came through as sent",
                   self.account(self.reader)["description"], DESCRIPTION)
        self.equal("the list has both", self.normal(), sorted([self.reader, self.writer]))

    def grant(self):
        with login(self.fleet.primary.port, self.writer, self.passwords[self.writer]) as session:
            for name, role in ((self.reader, "write"), (self.writer, "read")):
                changed = self.call("UpdateAclAccount", account_id=self.id_of(name),
                                    account_role=role)
                self.equal("UpdateAclAccount answers the instance", changed["instance_id"],
                           self.instance)
                job = eventually(lambda j=changed["job_id"]: self.job_done(j))
                self.check("ShowJobInfo follows the job to SUCCESS", job)
                self.equal(f"{name} has its new role", self.wait_available(name)["account_role"],
                           role)
                self.prove(name, role)
            self.equal("an open session loses the right at once",
                       verdict(session, "SET", "conf:s", "9"), "NOPERM")

    def job_done(self, job):
        told = self.driver.call("ShowJobInfo", job_id=job)["body"]
        return told if told["status"] == "SUCCESS" else None

    def remark(self):
        for text in ("second text", ""):
            changed = self.answer("UpdateAclAccountRemark", account_id=self.id_of(self.writer),
                                  description=text)
            self.equal("UpdateAclAccountRemark answers 204", changed["status"], 204)
            account = self.account(self.writer)
            self.equal(f"the list has {text!r} at once, and the account stays AVAILABLE",
                       (account["description"] or "", account["status"]), (text, "AVAILABLE"))

    def rotate(self):
        new = self.password(f"Rotated_{self.tag}@2")
        done = self.call("ResetAclAccountPassWord", account_id=self.id_of(self.writer),
                         new_password=new)
        self.equal("ResetAclAccountPassWord answers its code", done["code"], "1")
        self.rotated("ResetAclAccountPassWord", new)
        wrong, newest = self.password("Not-the-0ld-one"), self.password(f"Newest+{self.tag}3")
        told = self.modify(wrong, newest)
        self.equal("a wrong old password is a result, with the tries that are left",
                   (told["result"], told["retry_times_left"]), ("passwordFailed", "4"))
        told = self.modify(new, new)
        self.equal("the same password is no change", told["result"], "failed")
        told = self.modify(new, newest)
        self.equal("UpdateAclAccountPassWord answers success", told["result"], "success")
        self.rotated("UpdateAclAccountPassWord", newest)

    def modify(self, old, new, name=None):
        return self.call("UpdateAclAccountPassWord", account_id=self.id_of(name or self.writer),
                         old_password=old, new_password=new)

    def rotated(self, action, new):
        name = self.writer
        self.wait_available(name)
        for node in self.fleet.nodes:
            self.check(f"{action}: the new password works on the {node.role}",
                       can_login(node.port, name, new))
            self.check(f"{action}: the old password is refused on the {node.role}",
                       not can_login(node.port, name, self.passwords[name]))
        self.passwords[name] = new

    def lock_out(self):
        wrong, new = self.password("Never-Was-1t"), self.password(f"Locked-{self.tag}9")
        told = [self.modify(wrong, new, self.reader) for _ in range(5)]
        self.equal("five wrong passwords lock the account's password",
                   [t["result"] for t in told], ["passwordFailed"] * 4 + ["locked"])
        self.equal("and count down", [t["retry_times_left"] for t in told], list("43210"))
        told = self.modify(self.passwords[self.reader], new, self.reader)
        self.equal("the right one is then locked too",
                   (told["result"], told["lock_time"]), ("locked", "5"))
        self.check("the account itself still logs in", can_login(
            self.fleet.primary.port, self.reader, self.passwords[self.reader]))

    def refusals(self):
        create = {"account_name": "conf-refused", "account_role": "read",
                  "account_password": self.password("Fine-pass-1")}
        weak = self.password("onlylowercase")
        colon = self.password("Has:a:colon:1")
        for what, code, changes in (
            ("a duplicate name", "DCS.4961", {"account_name": self.reader}),
            ("the default account's name", "DCS.4961", {"account_name": "default"}),
            ("a bad name", "DCS.4961", {"account_name": "1-bad.name"}),
            ("a bad role", "DCS.4961", {"account_role": "admin"}),
            ("a long description", "DCS.4961", {"description": "x" * 1025}),
            ("a weak password", "DCS.4019", {"account_password": weak}),
            ("a colon in a password", "DCS.4019", {"account_password": colon}),
        ):
            self.refused(what, code, 400, "CreateAclAccount", **{**create, **changes})
        self.refused("an unknown instance", "DCS.3022", 404, "CreateAclAccount",
                     **create, instance_id="r-nosuchinstance")
        nobody = "01890a5d-ac96-774b-bcce-b302099a8057"
        for action, more in (
            ("DeleteAclAccount", {}),
            ("UpdateAclAccount", {"account_role": "read"}),
            ("ResetAclAccountPassWord", {"new_password": create["account_password"]}),
            ("UpdateAclAccountRemark", {"description": "text"}),
        ):
            self.refused(f"{action} of an unknown account", "DCS.4961", 400, action,
                         account_id=nobody, **more)
        self.check("nothing refused is on any node",
                   not any("conf-refused" in node.users() for node in self.fleet.nodes))

    def default_account(self):
        default = self.id_of("default")
        self.refused("another role for the default account", "DCS.4961", 400, "UpdateAclAccount",
                     account_id=default, account_role="read")
        self.refused("deleting the default account", "DCS.4961", 400, "DeleteAclAccount",
                     account_id=default)
        first, second = (self.password(f"Default{n}:{self.tag}!"[:32]) for n in (1, 2))
        done = self.call("ResetPassword", new_password=first, no_password_access=False)
        # The Java model has no code here.
        self.equal("ResetPassword answers the tries that are left", done["retry_times_left"], "5")
        self.wait_available("default")
        self.check_default("ResetPassword", first)
        told = self.call("UpdatePassword", old_password=first, new_password=second)
        self.equal("UpdatePassword answers success", told["result"], "success")
        self.wait_available("default")
        self.check_default("UpdatePassword", second)
        self.call("ResetPassword", no_password_access=True)
        self.wait_available("default")
        for node in self.fleet.nodes:
            self.check(f"password-free: the {node.role} asks nobody", ping(node.port) == "ok")
        self.equal("ShowInstance tells so", self.call("ShowInstance")["no_password_access"],
                   "true")
        self.call("ResetPassword", new_password=first)
        self.wait_available("default")
        self.check_default("a password ends it", first)

    def check_default(self, what, password):
        for node in self.fleet.nodes:
            self.check(f"{what}: AUTH password works on the {node.role}",
                       can_login(node.port, None, password))
            self.equal(f"{what}: the {node.role} asks for it", ping(node.port), "NOAUTH")

    def delete(self):
        sessions = [login(node.port, self.reader, self.passwords[self.reader])
                    for node in self.fleet.nodes]
        for name in (self.reader, self.writer):
            done = self.answer("DeleteAclAccount", account_id=self.id_of(name))
            self.equal(f"DeleteAclAccount of {name} answers 200", done["status"], 200)
            self.followed(name)
        for node, session in zip(self.fleet.nodes, sessions):
            self.check(f"an open session of a deleted account is closed on the {node.role}",
                       closed(session))
        self.equal("the list is empty again", self.normal(), [])
        self.check("status says in sync", eventually(
            lambda: self.service.status(self.instance)["in_sync"]),
            "claviger status still says in_sync: false")

    def newest_deletion(self):
        """As Terraform looks: no parameters, the first of that name."""
        tasks = self.call("ListBackgroundTask")["tasks"]
        return next((t for t in tasks if t["name"] == "DeleteAcl"), None)

    def followed(self, name):
        states = []

        def done():
            task = self.newest_deletion()
            states.append(task and task["status"])
            return task if states[-1] == "SUCCESS" else None

        task = eventually(done)
        self.check(f"the task DeleteAcl of {name} succeeds, by way of EXECUTING only",
                   task and set(states) <= {"EXECUTING", "SUCCESS"}, str(states))
        self.equal("it names the account", task["details"]["account_name"], name)
        self.check(f"by then {name} has left the list", not self.account(name))
        for node in self.fleet.nodes:
            self.check(f"{name} is gone from the {node.role}", name not in node.users())
            self.check(f"{name} cannot log in on the {node.role}",
                       not can_login(node.port, name, self.passwords[name]))

    def delete_with_a_node_away(self):
        """The seed page's task: delivered at once, done when every node has confirmed."""
        name = f"{self.tag}-away"
        self.passwords[name] = self.password("Away-and-back-1")
        self.call("CreateAclAccount", account_name=name, account_role="read",
                  account_password=self.passwords[name])
        self.wait_available(name)
        account = self.id_of(name)
        self.fleet.replica.stop()
        self.call("DeleteAclAccount", account_id=account)
        self.check("the primary loses the account at once", eventually(
            lambda: name not in self.fleet.primary.users()))
        task = self.newest_deletion()
        self.equal("with the replica away the task is EXECUTING", task["status"], "EXECUTING")
        self.equal("and the account DELETING", (self.account(name) or {}).get("status"),
                   "DELETING")
        progress = self.call("ShowBackgroundTaskProgress", task_id=task["id"])
        self.equal("its progress is 0", progress["progress"], 0)
        self.refused("forgetting a running task", "DCS.4017", 400, "DeleteBackgroundTask",
                     task_id=task["id"])
        self.refused("deleting it again", "DCS.4026", 400, "DeleteAclAccount",
                     account_id=account)
        self.fleet.replica.start()
        self.followed(name)

    def tasks(self):
        whole = self.call("ListBackgroundTask", limit=1000)
        rows = whole["tasks"]
        ids = [int(task["id"]) for task in rows]
        self.equal("tasks are listed newest first", ids, sorted(ids, reverse=True))
        paged, offset = [], 0
        while page := self.call("ListBackgroundTask", limit=10, offset=offset)["tasks"]:
            paged += [task["id"] for task in page]
            offset += 10
        self.equal("ten at a time they are the same", paged, [task["id"] for task in rows])
        self.equal("task_count is a text", whole["task_count"], str(len(rows)))
        self.equal("the default is ten", len(self.call("ListBackgroundTask")["tasks"]),
                   min(10, len(rows)))
        center = self.driver.call("ListCenterTask", limit=1)["body"]["tasks"]
        self.equal("the task centre has the newest too", center[0]["id"], rows[0]["id"])
        progress = self.call("ShowBackgroundTaskProgress", task_id=rows[0]["id"])
        self.equal("a finished task's progress is 100", progress["progress"], 100)
        gone = self.answer("DeleteBackgroundTask", task_id=rows[0]["id"])
        self.equal("DeleteBackgroundTask answers 204", gone["status"], 204)
        left = self.call("ListBackgroundTask", limit=1)["tasks"]
        self.equal("the task is forgotten", left[0]["id"], rows[1]["id"])
        self.refused("the progress of a forgotten task", "DCS.4001", 404,
                     "ShowBackgroundTaskProgress", task_id=rows[0]["id"])

    def wrong_callers(self):
        if self.client.mode != "region":
            self.driver.connect(self.service, project="f" * 32)
            self.refused("another's project", "DCS.1004", 401, "ListAclAccounts")
            self.driver.connect(self.service, secret_key=self.password("not-the-secret-at-all"))
            self.refused("a wrong secret", "APIGW.0301", 401, "ListAclAccounts")
            self.driver.connect(self.service, access_key="AKNOSUCHKEY")
            self.refused("an unknown access key", "APIGW.0301", 401, "ListAclAccounts")
        # A good signature ends the count of bad ones.
        self.driver.connect(self.service)
        self.check("the right key is taken again", self.accounts())


def ping(port):
    """What a connection that says nothing of itself gets."""
    with Resp(port) as connection:
        return verdict(connection, "PING")


def closed(session):
    """Whether the server has ended this session."""
    try:
        session.call("PING")
    except RespError:
        return False
    except (ConnectionError, OSError):
        return True
    finally:
        session.close()
    return False
