#!/usr/bin/env python3
"""Takes the steps of docs/operations.md, on real servers, with the commands as they stand there:
systemd, PostgreSQL, backup and restore, moving, upgrading, the master key, monitoring. `make drill`
runs it."""

import argparse
import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "conformance"))

from harness import nodes, postgres  # noqa: E402
from harness.report import Report, eventually  # noqa: E402
from harness.resp import can_login  # noqa: E402
from harness.service import Service  # noqa: E402

INSTANCE = "r-drill"
PASSPHRASE = "drill passphrase of some length"


class Drill:
    """One walk; each part leaves what the next one needs."""

    def __init__(self, binary, directory, fleet, report):
        self.binary, self.directory = binary, directory
        self.fleet, self.report = fleet, report
        self.keys = ("DRILLKEY0001", secrets.token_urlsafe(24))

    def check(self, what, good, detail=""):
        return self.report.check("drill", what, good, detail)

    def service(self, name, store=None):
        service = Service(self.binary, self.directory / name, *self.keys)
        service.store = store
        return service

    def must(self, service, *arguments, **environment):
        """A command that must be done; its standard output."""
        code, out, err = service.run(*arguments, **environment)
        self.check(" ".join(["claviger", *(Path(a).name if "/" in a else a
                                           for a in arguments)]), code == 0, err.strip())
        return out

    def refused(self, service, words, *arguments, **environment):
        code, out, err = service.run(*arguments, **environment)
        self.check(f"refused: {words}", code != 0 and words in err, f"{code}: {err or out}")

    def create(self, service, name, password):
        self.must(service, "account", "create", INSTANCE, name, "--privilege", "read-write",
                  "--wait", CLAVIGER_ACCOUNT_PASSWORD=password)

    def logs_in(self, name, password):
        for node in self.fleet.nodes:
            self.check(f"{name} logs in on the {node.role}",
                       eventually(lambda n=node: can_login(n.port, name, password)))

    def postgres_set_up(self, database):
        """"Several services on PostgreSQL", "Set it up"."""
        self.url = database.database()
        one, two = self.service("one", self.url), self.service("two", self.url)
        one.start()
        shutil.copytree(one.data, two.data, dirs_exist_ok=True)
        two.start()
        one.add_instance(INSTANCE, self.fleet)
        self.create(two, "app", "Drill_app-1")
        self.logs_in("app", "Drill_app-1")
        code, told = one.get("/readyz")
        self.check("/readyz of each service", code == 200 and two.get("/readyz")[0] == 200, told)
        self.refused(one, "several services share this store", "master-key", "rotate")
        two.stop()
        return one

    def backup_and_restore(self, service, database):
        """"Back up and restore", with the drill and what must go wrong."""
        file = self.directory / "claviger.backup"
        phrase = {"CLAVIGER_BACKUP_PASSPHRASE": PASSPHRASE}
        data = ["--data-dir", str(service.data)]
        made = self.must(service, "backup", str(file), *data, **phrase)
        self.create(service, "later", "Drill_later-1")
        service.stop()
        fresh = self.service("restored", database.database())
        shutil.copytree(service.data, fresh.data)
        data = ["--data-dir", str(fresh.data)]
        cut = self.directory / "cut.backup"
        cut.write_bytes(file.read_bytes()[:-100])
        self.refused(fresh, "cut", "restore", str(cut), *data, **phrase)
        self.refused(fresh, "passphrase", "restore", str(file), *data,
                     CLAVIGER_BACKUP_PASSPHRASE="another passphrase")
        foreign = self.service("foreign", database.database())
        foreign.start().stop()
        foreign.store = database.database()
        self.refused(foreign, "master key", "restore", str(file), "--data-dir",
                     str(foreign.data), **phrase)
        restored = self.must(fresh, "restore", str(file), *data, **phrase)
        digests = [sorted(re.findall(r"\b[0-9a-f]{16,64}\b", text)) for text in (made, restored)]
        self.check("both tell the same digests", digests[0] and digests[0] == digests[1],
                   f"{made}\n{restored}")
        code, out, err = fresh.run("doctor", *data)
        opened = re.search(r"^ok\s+store\b(?!.*will be made)", out, re.MULTILINE)
        self.check("claviger doctor opens the restored store", opened, f"{code} {out}{err}")
        fresh.start()
        status = json.dumps(fresh.status(INSTANCE))
        self.check("accounts of the past are there", '"app"' in status, status)
        self.check("an account that was made since is listed as unmanaged",
                   eventually(lambda: "later" in fresh.status(INSTANCE).get("unmanaged", [])),
                   json.dumps(fresh.status(INSTANCE)))
        self.logs_in("later", "Drill_later-1")
        self.must(fresh, "audit", "verify")
        return fresh

    def move_and_upgrade(self, service):
        """"Move between SQLite and PostgreSQL" and "Upgrade"."""
        service.stop()
        self.must(service, "migrate", "--data-dir", str(service.data))
        url = self.directory / "store-url"
        url.write_text(service.store + "\n")
        self.must(service, "store", "copy", f"@{url}", "sqlite", "--data-dir", str(service.data))
        moved = self.service("restored")
        moved.starts = service.starts
        moved.start()
        self.check("the moved installation is in sync",
                   eventually(lambda: moved.status(INSTANCE)["in_sync"] is True),
                   json.dumps(moved.status(INSTANCE)))
        self.must(moved, "audit", "verify")
        return moved

    def keys_change(self, service):
        """"The master key", and SECURITY.md: a leaked one, a lost one."""
        self.must(service, "master-key", "rotate")

        def done():
            out = service.run("master-key", "show", "--json")[1]
            return json.loads(out)["sealed_under_former"] == 0

        self.check("all is sealed under the new master key", eventually(done, 20))
        service.stop()
        file = service.data / "master.key"
        file.write_text(file.read_text().splitlines()[0] + "\n")
        service.start()
        self.check("it starts with the new key alone", service.get("/readyz")[0] == 200)
        service.stop()
        # Lost: another data directory, the same servers, the password set again under its name.
        lost = self.service("lost").start()
        lost.add_instance(INSTANCE, self.fleet)
        self.logs_in("app", "Drill_app-1")
        self.must(lost, "instance", "adopt", INSTANCE, "--dry-run")
        self.must(lost, "instance", "adopt", INSTANCE)
        self.must(lost, "account", "modify", INSTANCE, "app", "--wait",
                  CLAVIGER_ACCOUNT_PASSWORD="Drill_app-2")
        self.logs_in("app", "Drill_app-2")
        return lost

    def monitoring(self, service):
        """"deploy/": every metric that a rule or a panel reads is there."""
        text = service.get("/metrics")[1].decode()
        there = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
        for name in ("alerts.yml", "grafana.json"):
            asked = set(re.findall(r"\bclaviger_[a-z_]+", (ROOT / "deploy" / name).read_text()))
            # The text form of a counter's type leaves its ending out.
            stems = {re.sub(r"_(bucket|sum|count|total)$", "", metric) for metric in asked}
            # The audit's are there once there is somewhere to tell.
            missing = {m for m in stems - there if not m.startswith("claviger_audit_")}
            self.check(f"all metrics of {name} are served", asked and not missing, str(missing))
        promtool = shutil.which("promtool")
        if not promtool:
            self.report.skip("drill: promtool", "not installed (apt-get install prometheus)")
            return
        done = subprocess.run([promtool, "check", "rules", ROOT / "deploy/alerts.yml"],
                              capture_output=True, text=True)
        self.check("promtool takes the rules", done.returncode == 0, done.stderr)

    def unit(self):
        """The systemd unit: checked, and run under systemd where that can be."""
        done = subprocess.run([ROOT / "scripts/try-systemd.sh", self.binary],
                              capture_output=True, text=True)
        sys.stdout.write(done.stdout)
        self.check("deploy/claviger.service", done.returncode == 0, done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the claviger to use")
    options = parser.parse_args()
    report = Report()
    server = next(iter(nodes.engines(ROOT).values()), None)
    if not server:
        sys.exit("no redis-server or valkey-server: run scripts/install-deps.sh")
    binary = str(Path(options.binary).resolve())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        fleet = nodes.Fleet(server, directory / "nodes")
        drill = Drill(binary, directory, fleet, report)
        drill.unit()
        try:
            database = postgres.Postgres(directory / "postgres")
        except postgres.Missing as reason:
            report.skip("drill", str(reason))
            return report.finish()
        service = None
        with fleet:
            try:
                service = drill.postgres_set_up(database)
                service = drill.backup_and_restore(service, database)
                service = drill.move_and_upgrade(service)
                service = drill.keys_change(service)
                drill.monitoring(service)
            finally:
                if service:
                    service.stop()
                database.stop()
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
