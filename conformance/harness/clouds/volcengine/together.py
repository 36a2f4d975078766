"""One account through several clouds' APIs: what one makes, the others see and change."""

import time

from ... import signer as alibaba
from .. import tencent_wire
from ...report import eventually
from ...resp import can_login
from . import rights
from .signer import Signer

NAME = "one account, several clouds"


class Alibaba:
    """What this suite needs of R-kvstore."""

    name = "Alibaba Cloud"

    def __init__(self, service, instance):
        self.signer, self.instance = alibaba.Signer(service), instance

    def call(self, action, **params):
        answer = self.signer.acs3(action, {"InstanceId": self.instance, **params})
        return answer.json()

    def create(self, name, password):
        self.call("CreateAccount", AccountName=name, AccountPassword=password,
                  AccountPrivilege="RoleReadOnly")

    def see(self, name):
        rows = self.call("DescribeAccounts", AccountName=name)["Accounts"]["Account"]
        if not rows:
            return None
        held = rows[0]["DatabasePrivileges"]["DatabasePrivilege"][0]["AccountPrivilege"]
        return {"RoleReadOnly": "read", "RoleReadWrite": "write"}[held], rows[0]["AccountStatus"]

    def promote(self, name):
        self.call("GrantAccountPrivilege", AccountName=name, AccountPrivilege="RoleReadWrite")

    def rotate(self, name, password):
        self.call("ResetAccountPassword", AccountName=name, AccountPassword=password)

    def delete(self, name):
        self.call("DeleteAccount", AccountName=name)


class Tencent:
    """The same of Tencent Cloud, which counts the requests of each action."""

    name = "Tencent Cloud"

    def __init__(self, service, instance):
        self.signer, self.instance = tencent_wire.Signer(service), instance

    def call(self, action, **params):
        while True:
            reply = self.signer.tc3(action, {"InstanceId": self.instance, **params})
            if not tencent_wire.code(reply).startswith("RequestLimitExceeded"):
                return tencent_wire.response(reply)
            time.sleep(0.1)

    def create(self, name, password):
        self.call("CreateInstanceAccount", AccountName=name, AccountPassword=password,
                  Privilege="r", ReadonlyPolicy=["master"])

    def see(self, name):
        rows = self.call("DescribeInstanceAccount", Limit=100, Offset=0)["Accounts"]
        row = next((row for row in rows if row["AccountName"] == name), None)
        if not row:
            return None
        words = {"r": "read", "rw": "write"}
        return words[row["Privilege"]], "Available" if row["Status"] == 2 else row["Status"]

    def promote(self, name):
        self.call("ModifyInstanceAccount", AccountName=name, Privilege="rw")

    def rotate(self, name, password):
        self.call("ModifyInstanceAccount", AccountName=name, AccountPassword=password)

    def delete(self, name):
        self.call("DeleteInstanceAccount", AccountName=name)


class Volcengine:
    """The same of this cloud."""

    name = "Volcengine"

    def __init__(self, service, instance):
        self.signer, self.instance = Signer(service), instance

    def call(self, action, **params):
        return self.signer.call(action, {"InstanceId": self.instance, **params}).result

    def create(self, name, password):
        self.call("CreateDBAccount", AccountName=name, Password=password, RoleName="ReadOnly")

    def see(self, name):
        rows = self.call("ListDBAccount", AccountName=name)["Accounts"]
        if not rows:
            return None
        words = {"ReadOnly": "read", "ReadWrite": "write"}
        return words[rows[0]["RoleName"]], rows[0]["AccountStatus"]

    def promote(self, name):
        self.call("ModifyDBAccount", AccountName=name, RoleName="ReadWrite")

    def rotate(self, name, password):
        self.call("ModifyDBAccount", AccountName=name, Password=password)

    def delete(self, name):
        self.call("DeleteDBAccount", AccountName=name)


# Those that have no class here yet are skipped by name.
CLOUDS = (Alibaba, Tencent, Volcengine)
TO_COME = ("Huawei Cloud",)


def run(report, service, instance, fleet, vault):
    """Each cloud makes an account once; the next ones change and end it."""
    for name in TO_COME:
        report.skip(f"{NAME}: {name}", "its API is not in this suite yet")
    clouds = [cloud(service, instance) for cloud in CLOUDS]
    for turn in range(len(clouds)):
        order = clouds[turn:] + clouds[:turn]
        one_account(report, order, fleet, vault, f"shared_{turn}")


def one_account(report, order, fleet, vault, name):
    maker, changer, ender = order[0], order[1], order[-1]
    first, second = f"Shared-{name}-1", f"Shared-{name}-2"
    vault.update((first, second))

    def all_see(what, wanted):
        for cloud in order:
            seen = eventually(lambda c=cloud: c.see(name) == wanted, every=0.1)
            report.check(NAME, f"{what}: {cloud.name} sees it {wanted}", seen,
                         str(cloud.see(name)))

    maker.create(name, first)
    all_see(f"made through {maker.name}", ("read", "Available"))
    rights.prove(report, NAME, fleet, name, first, rights.READ_ONLY)
    changer.promote(name)
    all_see(f"promoted through {changer.name}", ("write", "Available"))
    rights.prove(report, NAME, fleet, name, first, rights.READ_WRITE)
    maker.rotate(name, second)
    all_see(f"its password changed through {maker.name}", ("write", "Available"))
    changer.rotate(name, first)
    all_see(f"and back through {changer.name}", ("write", "Available"))
    for node in fleet.nodes:
        report.check(NAME, f"the last password counts on the {node.role}",
                     can_login(node.port, name, first) and not can_login(node.port, name, second))
    ender.delete(name)
    for cloud in order:
        report.check(NAME, f"ended through {ender.name}: {cloud.name} does not see it",
                     eventually(lambda c=cloud: c.see(name) is None))
    report.check(NAME, f"ended through {ender.name}: it is on no node", eventually(
        lambda: not any(name in node.users() for node in fleet.nodes)))
