"""One account through two dialects: made by one vendor's SDK, changed by the other's."""

from ..report import eventually
from ..resp import can_login
from .. import rights

NAME = "two dialects"
EVERY = 0.1


def run(report, bench, instance, vault, tencent, aliyun):
    """Both ways round. `tencent` and `aliyun` are connected drivers."""
    first, second = "Mixed-first-1", "Mixed-second-2"
    vault.update((first, second))
    fleet = bench.fleet

    def ours(name):
        rows = tencent.call("DescribeInstanceAccount", InstanceId=instance, Limit=100, Offset=0)
        return next((r for r in rows["Accounts"] if r["AccountName"] == name), None)

    def theirs(name):
        rows = aliyun.call("DescribeAccounts", InstanceId=instance)["Accounts"]["Account"]
        return next((r for r in rows if r["AccountName"] == name), None)

    def succeeded(body):
        number = body["TaskId"]
        return eventually(lambda: tencent.call(
            "DescribeTaskInfo", TaskId=number)["Status"] == "succeed", every=EVERY)

    def agree(what, name, ours_word, theirs_word, text, password, promised):
        eventually(lambda: ours(name)["Status"] == 2, every=EVERY)
        row, other = ours(name), theirs(name)
        report.equal(NAME, f"{what}: Tencent's list", [row["Privilege"], row["Remark"],
                     row["Status"]], [ours_word, text, 2])
        held = other["DatabasePrivileges"]["DatabasePrivilege"][0]["AccountPrivilege"]
        report.equal(NAME, f"{what}: Alibaba's list", [held, other["AccountDescription"],
                     other["AccountStatus"]], [theirs_word, text, "Available"])
        rights.prove_rights(report, NAME, fleet, name, password, promised)

    name = "mixed_one"
    report.check(NAME, "made by Tencent's SDK", succeeded(tencent.call(
        "CreateInstanceAccount", InstanceId=instance, AccountName=name, AccountPassword=first,
        Privilege="r", ReadonlyPolicy=["master"], Remark="one text")))
    agree("made", name, "r", "RoleReadOnly", "one text", first, "r")
    aliyun.call("GrantAccountPrivilege", InstanceId=instance, AccountName=name,
                AccountPrivilege="RoleReadWrite")
    aliyun.call("ResetAccountPassword", InstanceId=instance, AccountName=name,
                AccountPassword=second)
    aliyun.call("ModifyAccountDescription", InstanceId=instance, AccountName=name,
                AccountDescription="another text")
    agree("changed by Alibaba's", name, "rw", "RoleReadWrite", "another text", second, "rw")

    name = "mixed_two"
    aliyun.call("CreateAccount", InstanceId=instance, AccountName=name, AccountPassword=first,
                AccountPrivilege="RoleReadWrite", AccountDescription="one text")
    agree("made by Alibaba's SDK", name, "rw", "RoleReadWrite", "one text", first, "rw")
    report.check(NAME, "changed by Tencent's", succeeded(tencent.call(
        "ModifyInstanceAccount", InstanceId=instance, AccountName=name, Privilege="r",
        AccountPassword=second, Remark="another text")))
    agree("changed", name, "r", "RoleReadOnly", "another text", second, "r")

    aliyun.call("DeleteAccount", InstanceId=instance, AccountName="mixed_one")
    report.check(NAME, "deleted by Tencent's", succeeded(tencent.call(
        "DeleteInstanceAccount", InstanceId=instance, AccountName="mixed_two")))
    for name in ("mixed_one", "mixed_two"):
        gone = eventually(lambda n=name: not ours(n) and not theirs(n), every=EVERY)
        report.check(NAME, f"{name} is in neither list", gone)
        for node in fleet.nodes:
            report.check(NAME, f"{name} is gone from the {node.role}",
                         not can_login(node.port, name, second))
