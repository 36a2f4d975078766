"""The whole life of accounts through one client, with proof on the servers at every step."""

import re

from . import rights
from .driver import Driver, Refused
from .report import eventually
from .resp import RespError, can_login, login, verdict

READ_ONLY, READ_WRITE, REPL = "RoleReadOnly", "RoleReadWrite", "RoleRepl"
# All the punctuation that the contract permits, which is where encoders differ.
SPECIAL = "uWonno21!@#$%^&*()_+-="
DESCRIPTION = "测试 conformance-1_a"


class Lifecycle:
    """One client's walk. `vault` remembers every password used, for the leak check."""

    def __init__(self, report, client, service, instance, fleet, vault):
        self.report, self.client, self.service = report, client, service
        self.instance, self.fleet, self.vault = instance, fleet, vault
        self.name = client.name
        # Ours in account names and passwords, within their alphabets and lengths.
        tag = self.tag = re.sub("[^a-z0-9]", "", client.name)[:16]
        self.reader, self.writer, self.repl = (f"{tag}_{kind}" for kind in ("ro", "rw", "repl"))
        self.passwords = {}

    def run(self, log):
        with Driver(self.client, log) as self.driver:
            self.driver.connect(self.service)
            self.start()
            self.create()
            self.grant()
            self.describe()
            self.rotate()
            self.refusals()
            self.default_account()
            self.delete()
            self.wrong_keys()

    # Short forms ------------------------------------------------------------------------------

    def check(self, what, good, detail=""):
        return self.report.check(self.name, what, good, detail)

    def equal(self, what, got, want):
        return self.report.equal(self.name, what, got, want)

    def call(self, action, **params):
        return self.driver.call(action, InstanceId=self.instance, **params)

    def password(self, text):
        self.vault.add(text)
        return text

    def accounts(self, **params):
        # The new Go client drops an empty list when its model is written out again.
        return self.call("DescribeAccounts", **params)["Accounts"].get("Account", [])

    def account(self, name):
        found = self.accounts(AccountName=name)
        return found[0] if found else None

    def wait_available(self, name):
        def available():
            account = self.account(name)
            return account if account and account["AccountStatus"] == "Available" else None

        account = eventually(available)
        self.report.need(self.name, f"{name} becomes Available", account, f"{self.account(name)}")
        return account

    def refused(self, what, code, status, action, **params):
        """The SDK must raise its own exception with the contract's code."""
        params = {"InstanceId": self.instance, **params}
        try:
            body = self.driver.call(action, **{k: v for k, v in params.items() if v is not None})
        except Refused as error:
            self.check_refusal(what, error, code, status)
        else:
            self.check(f"{what} is refused", False, f"it was answered with {body}")

    def check_refusal(self, what, error, code, status):
        codes = self.client.codes.get(code, [code])
        kind = self.client.exception(error.code or code, status)
        good = error.code in codes and error.type == kind and error.status in (status, None)
        self.check(
            f"{what}: {kind} {codes[-1]} {status}",
            good,
            f"got {error.type} {error.code} {error.status} {error.message}"[:300],
        )

    def custom(self):
        """The names of the accounts that are not the instance's own."""
        defaults = {self.instance, "default"}
        return sorted({a["AccountName"] for a in self.accounts()} - defaults)

    # Steps ------------------------------------------------------------------------------------

    def start(self):
        found = self.driver.call("DescribeInstances", RegionId="cn-hangzhou")["Instances"]
        rows = found.get("KVStoreInstance", found) if isinstance(found, dict) else found
        row = [r for r in rows if r["InstanceId"] == self.instance]
        self.equal("DescribeInstances lists the instance", [r["InstanceStatus"] for r in row],
                   ["Normal"])
        names = sorted(a["AccountName"] for a in self.accounts())
        self.equal("a fresh instance lists its default accounts", names,
                   sorted(["default", self.instance]))

    def create(self):
        self.passwords = {
            self.reader: self.password(SPECIAL),
            self.writer: self.password(f"Writer-{self.tag}-1"),
            self.repl: self.password(f"Repl(1)={self.tag}"),
        }
        body = self.call(
            "CreateAccount", AccountName=self.reader, AccountPassword=self.passwords[self.reader],
            AccountPrivilege=READ_ONLY, AccountDescription=DESCRIPTION, AccountType="Normal",
        )
        self.equal("CreateAccount answers the instance", body.get("InstanceId"), self.instance)
        self.equal("CreateAccount answers AcountName", body.get("AcountName"), self.reader)
        self.check("CreateAccount answers a RequestId", re.fullmatch("[0-9A-F-]{36}",
                                                                     body.get("RequestId", "")))
        self.call("CreateAccount", AccountName=self.writer,
                  AccountPassword=self.passwords[self.writer])
        self.call("CreateAccount", AccountName=self.repl, AccountPrivilege=REPL,
                  AccountPassword=self.passwords[self.repl])
        for name in (self.reader, self.writer, self.repl):
            self.wait_available(name)
        self.equal("the list has the three accounts", self.custom(),
                   sorted([self.reader, self.writer, self.repl]))
        for name, privilege in ((self.reader, READ_ONLY), (self.writer, READ_WRITE),
                                (self.repl, REPL)):
            self.prove(name, privilege)
        for node in self.fleet.nodes:
            self.check(f"a wrong password is refused on the {node.role}",
                       not can_login(node.port, self.reader, "Wrong-password-1"))

    def prove(self, name, privilege):
        rights.prove_rights(
            self.report, self.name, self.fleet, name, self.passwords[name], privilege
        )

    def describe(self):
        account = self.account(self.writer)
        self.equal("DescribeAccounts tells name, instance, type, status",
                   [account.get(k) for k in ("AccountName", "InstanceId", "AccountType",
                                             "AccountStatus")],
                   [self.writer, self.instance, "Normal", "Available"])
        self.equal("the description came through as sent",
                   self.account(self.reader).get("AccountDescription"), DESCRIPTION)
        self.call("ModifyAccountDescription", AccountName=self.writer,
                  AccountDescription="second-text")
        self.equal("ModifyAccountDescription changes it",
                   self.account(self.writer).get("AccountDescription"), "second-text")
        self.equal("an unknown name is an empty list", self.accounts(AccountName="nobody"), [])

    def grant(self):
        with login(self.fleet.primary.port, self.writer, self.passwords[self.writer]) as session:
            for name, privilege in ((self.reader, READ_WRITE), (self.writer, READ_ONLY)):
                self.call("GrantAccountPrivilege", AccountName=name, AccountPrivilege=privilege)
                account = self.wait_available(name)
                held = account["DatabasePrivileges"]["DatabasePrivilege"]
                self.equal(f"GrantAccountPrivilege makes {name} {privilege}",
                           [row["AccountPrivilege"] for row in held], [privilege])
                self.prove(name, privilege)
            self.equal("an open session loses the right at once",
                       verdict(session, "SET", "conf:s", "9"), "NOPERM")

    def rotate(self):
        new = self.password(f"Rotated_{self.tag}@2")
        self.call("ResetAccountPassword", AccountName=self.writer, AccountPassword=new)
        self.rotated("ResetAccountPassword", self.writer, new)
        if "ModifyAccountPassword" in self.client.lacks:
            return
        wrong, newest = self.password("Not-the-0ld-one"), self.password(f"Newest+{self.tag}3")
        self.refused("a wrong old password", "InvalidOldAccountPassword", 400,
                     "ModifyAccountPassword", AccountName=self.writer, OldAccountPassword=wrong,
                     NewAccountPassword=newest)
        self.call("ModifyAccountPassword", AccountName=self.writer, OldAccountPassword=new,
                  NewAccountPassword=newest)
        self.rotated("ModifyAccountPassword", self.writer, newest)

    def rotated(self, action, name, new):
        self.wait_available(name)
        for node in self.fleet.nodes:
            self.check(f"{action}: the new password works on the {node.role}",
                       can_login(node.port, name, new))
            self.check(f"{action}: the old password is refused on the {node.role}",
                       not can_login(node.port, name, self.passwords[name]))
        self.passwords[name] = new

    def refusals(self):
        create = {"AccountName": "conf_refused", "AccountPassword": self.password("Fine-pass-1")}
        weak = self.password("onlylowercase")
        for what, code, changes in (
            ("a duplicate name", "InvalidAccountName.Duplicate", {"AccountName": self.reader}),
            ("a bad name", "InvalidAccountName.Format", {"AccountName": "Bad-Name"}),
            ("a weak password", "InvalidAccountPassword.Format", {"AccountPassword": weak}),
            ("a bad privilege", "InvalidAccountPrivilege.Format", {"AccountPrivilege": "RoleGod"}),
            ("a bad description", "InvalidAccountDescription.Format",
             {"AccountDescription": "http://x"}),
        ):
            self.refused(what, code, 400, "CreateAccount", **{**create, **changes})
        if "missing parameters" not in self.client.lacks:
            self.refused("a missing password", "MissingAccountPassword", 400, "CreateAccount",
                         AccountName="conf_x")
        self.refused("an unknown instance", "InvalidInstanceId.NotFound", 404, "CreateAccount",
                     **create, InstanceId="r-nosuchinstance")
        for action, more in (
            ("DeleteAccount", {}),
            ("GrantAccountPrivilege", {"AccountPrivilege": READ_ONLY}),
            ("ResetAccountPassword", {"AccountPassword": create["AccountPassword"]}),
            ("ModifyAccountDescription", {"AccountDescription": "some-text"}),
        ):
            self.refused(f"{action} of an unknown account", "InvalidAccountName.NotFound", 404,
                         action, AccountName="conf_nobody", **more)
        self.check("nothing refused is on any node",
                   not any("conf_refused" in node.users() for node in self.fleet.nodes))

    def default_account(self):
        for name in (self.instance, "default"):
            self.refused(f"a grant to {name}", "IncorrectAccount", 400, "GrantAccountPrivilege",
                         AccountName=name, AccountPrivilege=READ_ONLY)
            self.refused(f"deleting {name}", "IncorrectAccount", 400, "DeleteAccount",
                         AccountName=name)
        for number, name in enumerate((self.instance, "default")):
            new = self.password(f"Default{number}-{self.tag}!")
            self.call("ResetAccountPassword", AccountName=name, AccountPassword=new)
            self.wait_available(name)
            for node in self.fleet.nodes:
                for user in (None, "default", self.instance):
                    form = "AUTH password" if user is None else f"AUTH {user} password"
                    self.check(f"after a reset of {name}, {form} works on the {node.role}",
                               can_login(node.port, user, new))

    def delete(self):
        sessions = [login(node.port, self.reader, self.passwords[self.reader])
                    for node in self.fleet.nodes]
        for name in (self.reader, self.writer, self.repl):
            self.call("DeleteAccount", AccountName=name)
        for name in (self.reader, self.writer, self.repl):
            self.check(f"{name} leaves the list", eventually(lambda n=name: not self.account(n)))
            for node in self.fleet.nodes:
                gone = eventually(lambda n=name, at=node: n not in at.users())
                self.check(f"{name} is gone from the {node.role}", gone)
                self.check(f"{name} cannot log in on the {node.role}",
                           not can_login(node.port, name, self.passwords[name]))
        for node, session in zip(self.fleet.nodes, sessions):
            self.check(f"an open session of a deleted account is closed on the {node.role}",
                       closed(session))
        self.equal("the list is empty again", self.custom(), [])
        self.check("status says in sync", eventually(
            lambda: self.service.status(self.instance)["in_sync"]),
            "claviger status still says in_sync: false")

    def wrong_keys(self):
        self.driver.connect(self.service, secret_key=self.password("not-the-secret-at-all"))
        self.refused("a wrong secret", "SignatureDoesNotMatch", 400, "DescribeAccounts")
        self.driver.connect(self.service, access_key="LTAINoSuchKey")
        self.refused("an unknown access key", "InvalidAccessKeyId.NotFound", 404,
                     "DescribeAccounts")


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
