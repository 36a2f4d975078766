"""The main job, shown: accounts made with the clouds' own SDKs log in on real Redis servers.

Starts a primary and its replica, claviger over them, walks the accounts through their life with
`alibabacloud_r_kvstore20150101`, and then shows the same accounts to all four clouds, each
through its own SDK. Every line that claims something was tried on the servers
with the account's own password. The exit code is 0 if all of it came out as promised.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))

from alibabacloud_r_kvstore20150101 import models  # noqa: E402
from alibabacloud_r_kvstore20150101.client import Client  # noqa: E402
from alibabacloud_tea_openapi.utils_models import Config  # noqa: E402
from harness.clients import Unavailable  # noqa: E402
from harness.clouds import CLOUDS, aliyun  # noqa: E402
from harness.nodes import Fleet, engines  # noqa: E402
from harness.report import eventually  # noqa: E402
from harness.resp import RespError, login, verdict  # noqa: E402
from harness.service import Service  # noqa: E402

INSTANCE = "r-demo"
COMMANDS = [("GET", "greeting"), ("KEYS", "*"), ("SET", "greeting", "hello"), ("FLUSHDB",),
            ("CONFIG", "GET", "maxmemory"), ("ACL", "LIST")]
REFUSED = "NOPERM"
# What each privilege promises for COMMANDS on the primary and on the replica.
PROMISE = {
    "RoleReadOnly": (["ok", "ok", REFUSED, REFUSED, REFUSED, REFUSED],) * 2,
    "RoleReadWrite": (["ok", "ok", "ok", "ok", REFUSED, REFUSED],
                      ["ok", "ok", "READONLY", "READONLY", REFUSED, REFUSED]),
    "no login": (["WRONGPASS"],) * 2,
}


class Demo:
    """The servers, the service, the SDK's client, and what did not come out as promised."""

    def __init__(self, fleet, service):
        self.fleet, self.service = fleet, service
        self.broken = []
        self.sdk = Client(Config(
            region_id="cn-hangzhou",
            endpoint=service.address,
            protocol="http",
            access_key_id=service.access_key,
            access_key_secret=service.secret_key,
        ))

    def say(self, text=""):
        print(text, flush=True)

    def title(self, text):
        self.say(f"\n{text}")

    def available(self, *names):
        """Waits until the service says that every node has confirmed the accounts."""
        def all_there():
            status = self.statuses()
            return all(status.get(name) == "Available" for name in names)

        if not eventually(all_there):
            self.broken.append(f"not Available in time: {', '.join(names)}")

    def statuses(self):
        reply = self.sdk.describe_accounts(models.DescribeAccountsRequest(instance_id=INSTANCE))
        return {a.account_name: a.account_status for a in reply.body.accounts.account}

    def list(self):
        reply = self.sdk.describe_accounts(models.DescribeAccountsRequest(instance_id=INSTANCE))
        for account in reply.body.accounts.account:
            privilege = account.database_privileges.database_privilege[0].account_privilege
            self.say(f"    {account.account_name:<10} {account.account_status:<12} {privilege:<14} "
                     f"{account.account_description or ''}")

    def try_out(self, rows):
        """Logs in on both nodes with each (account, password, promise, which) and runs COMMANDS."""
        heads = [" ".join(command[:2]) if command[0] in ("CONFIG", "ACL") else command[0]
                 for command in COMMANDS]
        self.say(f"    {'account':<10} {'password':<9} {'node':<8} {'login':<8} "
                 + " ".join(f"{head:<10}" for head in heads).rstrip())
        for name, password, promise, which in rows:
            for node, want in zip(self.fleet.nodes, PROMISE[promise]):
                got = self.verdicts(node, name, password)
                shown = [v if v != REFUSED else "refused" for v in got]
                entry = "ok" if len(got) > 1 else "refused"
                mark = "" if got == want else "   <- NOT AS PROMISED"
                line = f"    {name:<10} {which:<9} {node.role:<8} {entry:<8} " + " ".join(
                    f"{v:<10}" for v in (shown if len(got) > 1 else []))
                self.say(line.rstrip() + mark)
                if got != want:
                    self.broken.append(f"{name} on the {node.role}: {got}, promised {want}")

    def verdicts(self, node, name, password):
        try:
            with login(node.port, name, password) as connection:
                return [verdict(connection, *command) for command in COMMANDS]
        except RespError as error:
            return [error.kind]

    def run(self):
        reader, writer = "Read-only-1", "Read+write-2"
        self.title("1. Two accounts, by CreateAccount of the official SDK")
        for name, password, privilege in (("reader", reader, "RoleReadOnly"),
                                          ("writer", writer, "RoleReadWrite")):
            self.sdk.create_account(models.CreateAccountRequest(
                instance_id=INSTANCE, account_name=name, account_password=password,
                account_privilege=privilege, account_description=f"demo-{name}"))
        self.available("reader", "writer")
        self.list()
        self.say("  Each logs in on both nodes with its own password, with exactly its rights:")
        self.try_out([("reader", reader, "RoleReadOnly", "its own"),
                      ("writer", writer, "RoleReadWrite", "its own"),
                      ("reader", "Wrong-pass-9", "no login", "wrong")])

        self.title("2. GrantAccountPrivilege: the reader may write, the writer may only read")
        for name, privilege in (("reader", "RoleReadWrite"), ("writer", "RoleReadOnly")):
            self.sdk.grant_account_privilege(models.GrantAccountPrivilegeRequest(
                instance_id=INSTANCE, account_name=name, account_privilege=privilege))
        self.available("reader", "writer")
        self.try_out([("reader", reader, "RoleReadWrite", "its own"),
                      ("writer", writer, "RoleReadOnly", "its own")])

        self.title("3. ResetAccountPassword: the writer's password is rotated")
        rotated = "Rotated_pass-3"
        self.sdk.reset_account_password(models.ResetAccountPasswordRequest(
            instance_id=INSTANCE, account_name="writer", account_password=rotated))
        self.available("writer")
        self.try_out([("writer", rotated, "RoleReadOnly", "the new"),
                      ("writer", writer, "no login", "the old")])

        self.title("4. A second account of the same name is refused, with the cloud's own error")
        self.duplicate(reader)

        self.title("5. DeleteAccount: nobody logs in any more")
        for name in ("reader", "writer"):
            self.sdk.delete_account(models.DeleteAccountRequest(
                instance_id=INSTANCE, account_name=name))
        eventually(lambda: not any({"reader", "writer"} & n.users() for n in self.fleet.nodes))
        # They are listed until the nodes' own files are written too.
        if not eventually(lambda: not {"reader", "writer"} & set(self.statuses())):
            self.broken.append("the deleted accounts are still listed")
        self.list()
        self.try_out([("reader", reader, "no login", "its own"),
                      ("writer", rotated, "no login", "its own")])
        if not eventually(lambda: self.service.status(INSTANCE)["in_sync"]):
            self.broken.append("claviger status does not say in_sync")

    def four_clouds(self, directory):
        """One account made by each cloud's SDK, seen by all, ended by another one."""
        self.title("6. Four clouds on the same servers, each with its own SDK")
        adapters = []
        for name, cloud in (("aliyun", aliyun), *CLOUDS.items()):
            try:
                adapters.append(cloud.Adapter(self.service, INSTANCE, directory / f"{name}.log"))
            except Unavailable as reason:
                self.say(f"    SKIPPED {name}: {reason}")
        try:
            self.seen_by_all(adapters)
        finally:
            for adapter in adapters:
                adapter.close()

    def seen_by_all(self, adapters):
        names = [f"by_{adapter.cloud}" for adapter in adapters]
        for adapter, name in zip(adapters, names):
            adapter.create(name, "Four-clouds-1", "read")

        def told(adapter):
            rows = adapter.rows()
            return [rows[n]["role"] if rows.get(n, {}).get("ready") else "-" for n in names]

        self.say(f"    {'as told by':<12} " + " ".join(f"{name:<14}" for name in names).rstrip())
        for adapter in adapters:
            eventually(lambda a=adapter: "-" not in told(a))
            row = told(adapter)
            self.say(f"    {adapter.cloud:<12} " + " ".join(f"{r:<14}" for r in row).rstrip())
            if row != ["read"] * len(names):
                self.broken.append(f"{adapter.cloud} tells {row}")
        for node in self.fleet.nodes:
            logged_in = [len(self.verdicts(node, name, "Four-clouds-1")) > 1 for name in names]
            self.say(f"    on the {node.role:<8} {sum(logged_in)} of {len(names)} log in")
            if not all(logged_in):
                self.broken.append(f"not all log in on the {node.role}: {logged_in}")
        for n, name in enumerate(names):
            other = adapters[(n + 1) % len(adapters)]
            other.delete(name)
            self.say(f"    {name} is deleted by {other.cloud}'s SDK")
        gone = lambda: not any(set(names) & node.users() for node in self.fleet.nodes)  # noqa: E731
        if not eventually(gone):
            self.broken.append("not all of them are gone from the servers")

    def duplicate(self, password):
        try:
            self.sdk.create_account(models.CreateAccountRequest(
                instance_id=INSTANCE, account_name="reader", account_password=password))
            self.broken.append("the duplicate was accepted")
        except Exception as error:  # noqa: BLE001: whatever the SDK raises is shown
            code = getattr(error, "code", None)
            self.say(f"    {type(error).__name__}: {code}")
            if code != "InvalidAccountName.Duplicate":
                self.broken.append(f"the duplicate got {error}")


def main():
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="claviger's main job, shown")
    parser.add_argument("--binary", required=True, help="the claviger to show")
    binary = str(Path(parser.parse_args().binary).resolve())
    found = engines(root)
    if not found:
        sys.exit("no redis-server or valkey-server on PATH: run scripts/install-deps.sh")
    directory = Path(tempfile.mkdtemp(prefix="claviger-demo-"))
    service = Service(binary, directory / "service", "LTAI5tDemoRoot", secrets.token_urlsafe(24))
    try:
        with Fleet(next(iter(found.values())), directory / "nodes") as fleet:
            try:
                service.start()
                service.add_instance(INSTANCE, fleet)
                print(f"A {fleet.engine} primary on port {fleet.primary.port} and its replica on "
                      f"port {fleet.replica.port}; claviger on {service.address} drives both as "
                      f"instance {INSTANCE}.")
                demo = Demo(fleet, service)
                demo.run()
                demo.four_clouds(directory)
            finally:
                service.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for line in demo.broken:
        print(f"NOT AS PROMISED: {line}", file=sys.stderr)
    print("\nEverything came out as promised." if not demo.broken else "\nThe demo failed.")
    return 1 if demo.broken else 0


if __name__ == "__main__":
    sys.exit(main())
