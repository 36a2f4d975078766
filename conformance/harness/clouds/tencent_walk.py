"""The whole life of accounts through one client of Tencent Cloud, with proof on the servers."""

import re
import time

from .. import rights
from ..driver import Driver, Refused
from ..lifecycle import Lifecycle, closed
from ..report import eventually
from ..resp import can_login, login, verdict

# All the punctuation that the contract permits, which is where encoders differ.
SPECIAL = "aB1()`~!@#$%^&*-+=_|{}[]:;<>,.?/\\"
REMARK = "备注 conformance <a&b>"
# Password-free access reaches the nodes; switched on with the driving of it.
NO_AUTH_ON_NODES = True
# The action may be called 20 times a second: a poll must not use that up.
EVERY = 0.1


class Patient:
    """A driver that calls again when it was too fast, as callers of this cloud must."""

    def __init__(self, driver):
        self._driver = driver
        self.connect = driver.connect

    def call(self, action, **params):
        """As the driver's, with 15 seconds of patience."""
        end = time.monotonic() + 15
        while True:
            try:
                return self._driver.call(action, **params)
            except Refused as error:
                if error.code != "RequestLimitExceeded" or time.monotonic() > end:
                    raise
            time.sleep(EVERY)


class Walk(Lifecycle):
    """One client's walk."""

    def __init__(self, report, client, service, instance, fleet, vault):
        super().__init__(report, client, service, instance, fleet, vault)
        self.reader, self.writer, self.pusher = (
            f"{self.tag}_{kind}" for kind in ("r", "RW", "w"))

    def run(self, log):
        with Driver(self.client, log) as driver:
            self.driver = Patient(driver)
            self.driver.connect(self.service)
            self.start()
            self.create()
            if not self.client.slow:
                self.modify()
                self.tasks()
                self.refusals()
            self.root()
            self.policy()
            self.delete()
            self.wrong_keys()

    # Short forms ------------------------------------------------------------------------------

    def rows(self, limit=50):
        """All accounts, page by page, as Terraform reads them."""
        found, offset = [], 0
        while True:
            page = self.call("DescribeInstanceAccount", Limit=limit, Offset=offset)
            # Go leaves an empty list out when its model is written as JSON.
            rows = page.get("Accounts", [])
            found += rows
            offset += limit
            if len(rows) < limit:
                return found

    def row(self, name):
        return next((row for row in self.rows() if row["AccountName"] == name), None)

    def task(self, number):
        return self.driver.call("DescribeTaskInfo", TaskId=number)

    def done(self, what, body):
        """Follows the task of an answer to its end."""
        number = body.get("TaskId")
        self.report.need(self.name, f"{what} answers a TaskId",
                         isinstance(number, int) and number > 0, str(body))
        seen = {}

        def succeeded():
            seen.update(self.task(number))
            return seen["Status"] == "succeed"

        self.report.need(self.name, f"the task of {what} ends with succeed",
                         eventually(succeeded, 30, EVERY), str(seen))
        return number

    def change(self, action, name, **params):
        """A change that is followed until the account is valid."""
        self.done(f"{action} of {name}", self.call(action, AccountName=name, **params))
        self.equal(f"{name} is valid after {action}", self.row(name)["Status"], 2)

    def refused(self, what, code, action, **params):
        params = {"InstanceId": self.instance, **params}
        super().refused(what, code, 200, action, **params)

    def has(self, action):
        return action not in self.client.without

    def prove(self, name, privilege):
        rights.prove_rights(
            self.report, self.name, self.fleet, name, self.passwords[name], privilege)

    # Steps ------------------------------------------------------------------------------------

    def start(self):
        found = self.driver.call("DescribeInstances", InstanceId=self.instance)
        self.equal("DescribeInstances finds the instance, running",
                   [(r["InstanceId"], r["Status"]) for r in found["InstanceSet"]],
                   [(self.instance, 2)])
        nothing = self.driver.call("DescribeInstances", InstanceId="crs-nosuch")
        self.equal("an unknown instance is an empty list", nothing["TotalCount"], 0)
        if self.has("DescribeInstanceSupportFeature"):
            supported = self.call("DescribeInstanceSupportFeature", FeatureName="multi-account")
            self.equal("accounts are supported", supported["Support"], True)
        self.equal("a fresh instance lists root alone",
                   [row["AccountName"] for row in self.rows()], ["root"])

    def create(self):
        self.passwords = {
            self.reader: self.password(SPECIAL),
            self.writer: self.password(f"Writer-{self.tag}-1"),
            self.pusher: self.password(f"Pusher(1)={self.tag}"),
        }
        for name, privilege, more in (
            (self.reader, "r", {"Remark": REMARK}),
            (self.writer, "rw", {"EncryptPassword": False}),
            (self.pusher, "w", {}),
        ):
            self.change("CreateInstanceAccount", name, AccountPassword=self.passwords[name],
                        Privilege=privilege, ReadonlyPolicy=["master"], **more)
        self.equal("the list has root first, then the three",
                   [row["AccountName"] for row in self.rows()],
                   ["root", *sorted(self.passwords)])
        row = self.row(self.reader)
        self.equal("the row tells what was asked",
                   [row[k] for k in ("InstanceId", "Remark", "Privilege", "ReadonlyPolicy")],
                   [self.instance, REMARK, "r", ["master"]])
        stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        # Some SDKs have no member for the second, or for either.
        times = [row[k] for k in ("CreateTime", "PasswordLastModifiedTime") if k in row]
        self.check("the row has its times", all(re.fullmatch(stamp, t) for t in times), str(row))
        self.equal("two pages of two are the same four", len(self.rows(2)), 4)
        for name, privilege in ((self.reader, "r"), (self.writer, "rw"), (self.pusher, "w")):
            self.prove(name, privilege)
        for node in self.fleet.nodes:
            self.check(f"a wrong password is refused on the {node.role}",
                       not can_login(node.port, self.reader, "Wrong-password-1"))

    def modify(self):
        action = "ModifyInstanceAccount"
        self.done("a change of nothing", self.call(action, AccountName=self.writer))
        with login(self.fleet.primary.port, self.writer, self.passwords[self.writer]) as session:
            for name, privilege in ((self.reader, "rw"), (self.pusher, "r"), (self.writer, "r")):
                self.change(action, name, Privilege=privilege)
                self.equal(f"{name} shows as {privilege}", self.row(name)["Privilege"], privilege)
                self.prove(name, privilege)
            self.equal("an open session loses the right at once",
                       verdict(session, "SET", "conf:s", "9"), "NOPERM")
        self.change(action, self.writer, Remark="second text", ReadonlyPolicy=["master"],
                    NoAuth=False)
        self.equal("the remark changes, the privilege does not",
                   [self.row(self.writer)[k] for k in ("Remark", "Privilege")],
                   ["second text", "r"])
        new = self.password(f"Rotated_{self.tag}@2")
        self.change(action, self.writer, AccountPassword=new)
        for node in self.fleet.nodes:
            self.check(f"the new password works on the {node.role}",
                       can_login(node.port, self.writer, new))
            self.check(f"the old password is refused on the {node.role}",
                       not can_login(node.port, self.writer, self.passwords[self.writer]))
        self.passwords[self.writer] = new

    def tasks(self):
        listed = self.call("DescribeTaskList", Limit=100, Offset=0)
        newest = listed["Tasks"][0]
        self.equal("the newest task is the change of the password, done",
                   [newest[k] for k in ("TaskType", "Result", "InstanceId", "ProjectId")],
                   ["007", 2, self.instance, 0])
        self.check("tasks are listed newest first, with their times",
                   [t["TaskId"] for t in listed["Tasks"]]
                   == sorted((t["TaskId"] for t in listed["Tasks"]), reverse=True)
                   and newest["StartTime"] and newest["EndTime"], str(newest))
        info = self.task(newest["TaskId"])
        self.equal("DescribeTaskInfo tells the same",
                   [info[k] for k in ("Status", "StartTime", "InstanceId", "TaskMessage")],
                   ["succeed", newest["StartTime"], self.instance, ""])
        super(Walk, self).refused("an unknown task", "InvalidParameter.InvalidParameter", 200,
                                  "DescribeTaskInfo", InstanceId=None, TaskId=999_999_999)

    def refusals(self):
        create = {"AccountName": "conf_refused", "AccountPassword": self.password("Fine-pass-1"),
                  "Privilege": "rw", "ReadonlyPolicy": ["master"]}
        weak, invalid = self.password("onlylowercase"), "InvalidParameter.InvalidParameter"
        for what, code, changes in (
            ("a duplicate name", "FailedOperation.SystemError", {"AccountName": self.reader}),
            ("a bad name", invalid, {"AccountName": "Bad.Name"}),
            ("a reserved name", invalid, {"AccountName": "root"}),
            ("the servers' own name", invalid, {"AccountName": "default"}),
            ("a weak password", "InvalidParameterValue.PasswordRuleError",
             {"AccountPassword": weak}),
            ("a bad privilege", invalid, {"Privilege": "rwx"}),
            ("a bad policy", invalid, {"ReadonlyPolicy": ["slave"]}),
            ("a long remark", invalid, {"Remark": "测" * 22}),
            ("an encrypted password", "FailedOperation.UnSupportError",
             {"EncryptPassword": True}),
            ("replication without replica reads", "FailedOperation.UnSupportError",
             {"ReadonlyPolicy": ["replication"]}),
            ("an unknown instance", "ResourceNotFound.InstanceNotExists",
             {"InstanceId": "crs-nosuch"}),
        ):
            if set(changes) & set(self.client.drops):
                continue
            self.refused(what, code, "CreateInstanceAccount", **{**create, **changes})
        if "missing parameters" not in self.client.lacks:
            self.refused("a missing password", "MissingParameter", "CreateInstanceAccount",
                         **{**create, "AccountPassword": None})
        for action in ("ModifyInstanceAccount", "DeleteInstanceAccount"):
            for name in ("conf_nobody", "default"):
                self.refused(f"{action} of {name}", "ResourceNotFound", action, AccountName=name)
        self.refused("a custom account without a password", "InvalidParameter.NotSupported",
                     "ModifyInstanceAccount", AccountName=self.reader, NoAuth=True)
        self.check("nothing refused is on any node",
                   not any("conf_refused" in node.users() for node in self.fleet.nodes))

    def root(self):
        protected = "InvalidParameter.NotSupported"
        self.refused("deleting root", protected, "DeleteInstanceAccount", AccountName="root")
        self.refused("a privilege for root", protected, "ModifyInstanceAccount",
                     AccountName="root", Privilege="r")
        first = self.password(f"Default1-{self.tag}!")
        self.done("ResetPassword", self.call("ResetPassword", Password=first))
        self.logs_in("ResetPassword", first)
        wrong, second = self.password("Not-the-0ld-one"), self.password(f"Default2-{self.tag}!")
        # The corrected spelling is not in every SDK; the older one is.
        action = next(a for a in ("ModifyInstancePassword", "ModfiyInstancePassword")
                      if self.has(a))
        self.refused("a wrong old password", "InvalidParameterValue.PasswordError", action,
                     OldPassword=wrong, Password=second)
        self.done(action, self.call(action, OldPassword=first, Password=second))
        self.logs_in(action, second, first)
        third = self.password(f"Default3-{self.tag}!")
        self.done("ModfiyInstancePassword", self.call(
            "ModfiyInstancePassword", OldPassword=second, Password=third))
        self.logs_in("ModfiyInstancePassword", third, second)
        # What Terraform sends with every change of an account.
        self.change("ModifyInstanceAccount", "root", Privilege="rw", ReadonlyPolicy=["master"])
        if NO_AUTH_ON_NODES:
            self.password_free(third)

    def logs_in(self, action, new, old=None):
        for node in self.fleet.nodes:
            for user in (None, "default"):
                form = "AUTH password" if user is None else "AUTH default password"
                self.check(f"after {action}, {form} works on the {node.role}",
                           can_login(node.port, user, new))
            if old:
                self.check(f"after {action}, the old password is refused on the {node.role}",
                           not can_login(node.port, None, old))

    def instance_row(self):
        return self.driver.call("DescribeInstances", InstanceId=self.instance)["InstanceSet"][0]

    def password_free(self, password):
        self.done("NoAuth", self.call("ModifyInstanceAccount", AccountName="root", NoAuth=True))
        self.equal("the instance says that it takes no password",
                   [self.instance_row()[k] for k in ("NoAuth", "PasswordFree")], [True, 1])
        for node in self.fleet.nodes:
            self.check(f"nobody needs a password on the {node.role}", node.is_open())
        self.done("NoAuth off", self.call(
            "ModifyInstanceAccount", AccountName="root", NoAuth=False))
        self.equal("the instance wants a password again", self.instance_row()["NoAuth"], False)
        self.logs_in("NoAuth off", password)
        for node in self.fleet.nodes:
            self.check(f"a password is needed again on the {node.role}", not node.is_open())

    def policy(self):
        if not self.has("ModifyInstancePasswordPolicy"):
            return
        strict = {"Enabled": True, "MinLetterCount": 2, "MinDigitCount": 4, "MinSpecialCount": 1,
                  "MinLength": 12}
        self.call("ModifyInstancePasswordPolicy", PasswordPolicy=strict)
        self.equal("the policy is as it was set", self.call(
            "DescribeInstancePasswordPolicy")["PasswordPolicy"], strict)
        rule = "InvalidParameterValue.PasswordRuleError"
        self.refused("a password that the policy forbids", rule, "ModifyInstanceAccount",
                     AccountName=self.writer, AccountPassword=self.password("Too-few-123"))
        self.refused("password-free access under a policy",
                     "InvalidParameterValue.PasswordFreeDenied", "ResetPassword", NoAuth=True)
        new = self.password(f"Digits-12345-{self.tag}")
        self.change("ModifyInstanceAccount", self.writer, AccountPassword=new)
        self.passwords[self.writer] = new
        self.refused("a policy out of its limits", "InvalidParameter.InvalidParameter",
                     "ModifyInstancePasswordPolicy",
                     PasswordPolicy={**strict, "MinDigitCount": 17})
        self.call("ModifyInstancePasswordPolicy", PasswordPolicy={**strict, "Enabled": False})

    def delete(self):
        names = (self.reader, self.writer, self.pusher)
        sessions = [login(node.port, self.reader, self.passwords[self.reader])
                    for node in self.fleet.nodes]
        for name in names:
            self.done(f"DeleteInstanceAccount of {name}",
                      self.call("DeleteInstanceAccount", AccountName=name))
            for node in self.fleet.nodes:
                self.check(f"{name} is gone from the {node.role} when its task has ended",
                           name not in node.users())
                self.check(f"{name} cannot log in on the {node.role}",
                           not can_login(node.port, name, self.passwords[name]))
        for node, session in zip(self.fleet.nodes, sessions):
            self.check(f"an open session of a deleted account is closed on the {node.role}",
                       closed(session))
        self.equal("root is alone again", [r["AccountName"] for r in self.rows()], ["root"])
        self.check("status says in sync", eventually(
            lambda: self.service.status(self.instance)["in_sync"]))

    def wrong_keys(self):
        for what, code, keys in (
            ("a wrong secret", "AuthFailure.SignatureFailure",
             {"secret_key": self.password("not-the-secret-at-all")}),
            ("an unknown key", "AuthFailure.SecretIdNotFound", {"access_key": "AKIDnosuch"}),
        ):
            self.driver.connect(self.service, **keys)
            self.refused(what, code, "DescribeInstanceAccount", Limit=20, Offset=0)


