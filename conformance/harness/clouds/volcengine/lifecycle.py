"""The whole life of accounts through one client, with proof on the servers at every step."""

from ...driver import Driver, Refused
from ...report import eventually
from ...resp import RespError, can_login, login, verdict
from . import rights
from .rights import ADMINISTRATOR, NOT_DANGEROUS, READ_ONLY, READ_WRITE

# Of the punctuation that the contract permits, what encoders treat differently.
SPECIAL = "Pwd1()`~!@#$%^&*-+=_|{}[];<>,.?"
DESCRIPTION = "测试 a+b <&> conformance"


class Lifecycle:
    """One client's walk. `vault` remembers every password used, for the leak check."""

    def __init__(self, report, client, service, instance, fleet, vault):
        self.report, self.client, self.service = report, client, service
        self.instance, self.fleet, self.vault = instance, fleet, vault
        self.name, tag = client.name, client.tag
        self.accounts = {f"{tag}_{word}": role for word, role in (
            ("adm", ADMINISTRATOR), ("rw", READ_WRITE), ("ro", READ_ONLY),
            ("nd", NOT_DANGEROUS))}
        self.admin, self.writer, self.reader, self.careful = self.accounts
        self.passwords = {}

    def run(self, log):
        with Driver(self.client, log) as self.driver:
            self.driver.connect(self.service)
            self.start()
            self.create()
            self.modify()
            self.twice()
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

    def write(self, action, **params):
        """A change: the answer's Result is null, which every client gives as nothing."""
        body = self.call(action, **params)
        left = {k: v for k, v in (body or {}).items() if k not in ("Metadata", "ResponseMetadata")}
        self.equal(f"{action} answers a Result of null", left, {})

    def password(self, text):
        self.vault.add(text)
        return text

    def rows(self, **params):
        # The Go client drops an empty list when its model is written out again.
        return (self.call("ListDBAccount", **params) or {}).get("Accounts") or []

    def account(self, name):
        found = self.rows(AccountName=name)
        return found[0] if found else None

    def status(self):
        found = self.call("DescribeDBInstances")["Instances"]
        return [row["Status"] for row in found if row["InstanceId"] == self.instance]

    def wait_available(self, name):
        """Polls as clients do: the instance is Running, the account becomes Available."""
        self.equal(f"the instance is Running while {name} is on its way", self.status(),
                   ["Running"])

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
            kind = self.client.exception(code, status)
            good = error.code == code and error.type == kind and error.status in (status, None)
            self.check(f"{what}: {kind} {code} {status}", good,
                       f"got {error.type} {error.code} {error.status} {error.message}"[:300])
        else:
            self.check(f"{what} is refused", False, f"it was answered with {body}")

    def prove(self, name):
        rights.prove(self.report, self.name, self.fleet, name, self.passwords[name],
                     self.accounts[name])

    def custom(self):
        return sorted({a["AccountName"] for a in self.rows()} - {"default"})

    # Steps ------------------------------------------------------------------------------------

    def start(self):
        self.equal("DescribeDBInstances lists the instance", self.status(), ["Running"])
        found = self.driver.call("DescribeDBInstances", PageNumber=1, PageSize=100)
        self.check("DescribeDBInstances lists it among all", self.instance in {
            row["InstanceId"] for row in found["Instances"]}, str(found)[:300])
        detail = self.call("DescribeDBInstanceDetail")
        self.equal("DescribeDBInstanceDetail tells instance, status, mode",
                   [detail.get(k) for k in ("InstanceId", "Status", "VpcAuthMode")],
                   [self.instance, "Running", "close"])
        row = self.rows()
        self.equal("a fresh instance lists its default account",
                   [(a["AccountName"], a["RoleName"], a["InstanceId"]) for a in row],
                   [("default", ADMINISTRATOR, self.instance)])

    def create(self):
        self.passwords = {
            name: self.password(SPECIAL if name == self.reader else f"Pwd@{name}-1")
            for name in self.accounts
        }
        for name, role in self.accounts.items():
            more = {"Description": DESCRIPTION} if name == self.reader else {}
            self.write("CreateDBAccount", AccountName=name, RoleName=role,
                       Password=self.passwords[name], **more)
            self.check(f"{name} is listed as soon as CreateDBAccount returns", self.account(name))
        for name, role in self.accounts.items():
            account = self.wait_available(name)
            self.equal(f"{name} is listed with its role", account["RoleName"], role)
            self.prove(name)
        self.equal("the list has the four accounts", self.custom(), sorted(self.accounts))
        self.equal("the description came through as sent",
                   self.account(self.reader)["Description"], DESCRIPTION)
        self.equal("an unknown name is an empty list", self.rows(AccountName="nobody"), [])
        for node in self.fleet.nodes:
            self.check(f"a wrong password is refused on the {node.role}",
                       not can_login(node.port, self.reader, "Wrong-password-1"))

    def modify(self):
        """One call does role, password and description; what is absent stays."""
        with login(self.fleet.primary.port, self.writer, self.passwords[self.writer]) as session:
            self.write("ModifyDBAccount", AccountName=self.writer, RoleName=READ_ONLY)
            self.accounts[self.writer] = READ_ONLY
            account = self.wait_available(self.writer)
            self.equal("ModifyDBAccount changes the role", account["RoleName"], READ_ONLY)
            self.prove(self.writer)
            self.equal("an open session loses the right at once",
                       verdict(session, "SET", "conf:s", "9"), "NOPERM")
        old, new = self.passwords[self.reader], self.password(f"Rotated_{self.reader}@2")
        self.write("ModifyDBAccount", AccountName=self.reader, RoleName=NOT_DANGEROUS,
                   Password=new, Description="second text")
        self.accounts[self.reader], self.passwords[self.reader] = NOT_DANGEROUS, new
        account = self.wait_available(self.reader)
        self.equal("all three at once", [account["RoleName"], account["Description"]],
                   [NOT_DANGEROUS, "second text"])
        self.prove(self.reader)
        for node in self.fleet.nodes:
            self.check(f"the old password is refused on the {node.role}",
                       not can_login(node.port, self.reader, old))
        self.write("ModifyDBAccount", AccountName=self.reader, Description="")
        self.equal("an empty description leaves it", self.account(self.reader)["Description"],
                   "second text")

    def twice(self):
        """A ClientToken makes it happen once."""
        name, password = f"{self.client.tag}_tk", self.password(f"Token@{self.client.tag}1")
        token = f"Tok-{self.client.name}"
        create = {"AccountName": name, "RoleName": READ_ONLY, "Password": password}
        for _ in range(2):
            self.write("CreateDBAccount", **create, ClientToken=token)
        self.refused("the token with another role", "ParamError", 400, "CreateDBAccount",
                     **{**create, "RoleName": READ_WRITE}, ClientToken=token)
        self.refused("the token in another case", "AccountExist", 400, "CreateDBAccount",
                     **create, ClientToken=token.upper())
        for bad in ("t" * 128, "tökén"):
            self.refused(f"a token of {len(bad)} characters", "ParamError", 400,
                         "CreateDBAccount", **create, ClientToken=bad)
        for _ in range(2):
            self.write("DeleteDBAccount", AccountName=name, ClientToken=f"{token}-end")
        self.check(f"{name} leaves the list", eventually(lambda: not self.account(name)))

    def refusals(self):
        create = {"AccountName": "conf_refused", "RoleName": READ_WRITE,
                  "Password": self.password("Fine-pass-1")}
        weak = self.password("onlylowercase")
        for what, code, changes in (
            ("a duplicate name", "AccountExist", {"AccountName": self.reader}),
            ("the default name", "AccountExist", {"AccountName": "default"}),
            ("a bad name", "InvalidAccountName", {"AccountName": "Bad-Name"}),
            ("a weak password", "InvalidPassword", {"Password": weak}),
            ("an unknown role", "AccountRoleInvalid", {"RoleName": "Wizard"}),
            ("a long description", "AccountDescriptionTooLong", {"Description": "x" * 257}),
            ("an unknown instance", "InstanceNotExist", {"InstanceId": "redis-nosuchinstance"}),
        ):
            self.refused(what, code, 400, "CreateDBAccount", **{**create, **changes})
        if "missing parameters" not in self.client.lacks:
            for name in create:
                empty = {**create, name: ""}
                self.refused(f"an empty {name}", "ParamError", 400, "CreateDBAccount", **empty)
        for action, more in (("DeleteDBAccount", {}),
                             ("ModifyDBAccount", {"Description": "some text"})):
            self.refused(f"{action} of an unknown account", "AccountNotExist", 400, action,
                         AccountName="conf_nobody", **more)
        self.check("nothing refused is on any node",
                   not any("conf_refused" in node.users() for node in self.fleet.nodes))

    def default_account(self):
        self.refused("deleting the default account", "DeleteDefaultAccount", 400,
                     "DeleteDBAccount", AccountName="default")
        self.refused("another role for the default account", "InvalidOperator", 400,
                     "ModifyDBAccount", AccountName="default", RoleName=READ_ONLY)
        new = self.password(f"Default@{self.client.tag}1")
        self.write("ModifyDBAccount", AccountName="default", Password=new)
        account = self.wait_available("default")
        self.equal("the default account stays Administrator", account["RoleName"], ADMINISTRATOR)
        for node in self.fleet.nodes:
            for user in (None, "default"):
                form = "AUTH password" if user is None else "AUTH default password"
                self.check(f"after it got a password, {form} works on the {node.role}",
                           can_login(node.port, user, new))

    def delete(self):
        sessions = [login(node.port, self.careful, self.passwords[self.careful])
                    for node in self.fleet.nodes]
        for name in self.accounts:
            self.write("DeleteDBAccount", AccountName=name)
        for name in self.accounts:
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
        self.refused("a wrong secret", "SignatureDoesNotMatch", 401, "ListDBAccount")
        self.driver.connect(self.service, access_key="AKLTNoSuchKey")
        self.refused("an unknown access key", "InvalidAccessKey", 401, "ListDBAccount")


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
