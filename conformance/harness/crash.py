"""SIGKILL of the service in a stream of creates, several times over.

Every create that was answered with 200 must be listed after the restart and be on every node with
its password. One without an answer may be there or not, but wholly or not at all.
"""

import http.client
import threading
import time

from .report import eventually
from .resp import can_login
from .signer import Signer

NAME = "kill -9"
CALLERS, PER_CALLER = 4, 4
# How many answers have come when each round's kill falls.
ROUNDS = (1, 2, 4, 6, 8, 11)


class Caller(threading.Thread):
    """Creates its accounts one by one until the service is gone."""

    def __init__(self, service, instance, number, vault):
        super().__init__(daemon=True)
        self.service, self.instance, self.number, self.vault = service, instance, number, vault
        self.acknowledged, self.unsure, self.odd = {}, {}, []

    def run(self):
        signer = Signer(self.service)
        for step in range(PER_CALLER):
            name, password = f"kill_{self.number}_{step}", f"Kill-{self.number}-{step}-pass"
            self.vault.add(password)
            self.unsure[name] = password
            try:
                reply = signer.acs3("CreateAccount", {
                    "InstanceId": self.instance, "AccountName": name,
                    "AccountPassword": password})
            except (OSError, http.client.HTTPException):
                return
            self.unsure.pop(name)
            if reply.status == 200:
                self.acknowledged[name] = password
            else:
                self.odd.append(f"{name}: {reply.status} {reply.text[:100]}")


def run(report, service, instance, fleet, vault):
    """Rounds with the kill at another moment each; the instance ends empty again."""
    for after in ROUNDS:
        one_round(report, service, instance, fleet, vault, after)


def one_round(report, service, instance, fleet, vault, after):
    callers = [Caller(service, instance, number, vault) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    end = time.monotonic() + 10
    while sum(len(c.acknowledged) for c in callers) < after and time.monotonic() < end:
        time.sleep(0.0005)
    service.kill()
    for caller in callers:
        caller.join(15)
    acknowledged = {k: v for c in callers for k, v in c.acknowledged.items()}
    unsure = {k: v for c in callers for k, v in c.unsure.items()}
    what = f"killed after {len(acknowledged)} answers with {len(unsure)} calls open"
    report.check(NAME, f"{what}: every answer was a success", not any(c.odd for c in callers),
                 str([c.odd for c in callers]))
    service.start()
    survivors(report, service, instance, fleet, what, acknowledged, unsure)


def survivors(report, service, instance, fleet, what, acknowledged, unsure):
    signer = Signer(service)

    def listed():
        rows = signer.acs3("DescribeAccounts", {"InstanceId": instance}).json()
        rows = rows["Accounts"]["Account"]
        return {row["AccountName"]: row["AccountStatus"] for row in rows
                if row["AccountName"] not in (instance, "default")}

    report.check(NAME, f"{what}: all are Available after the restart", eventually(
        lambda: all(status == "Available" for status in listed().values()), 20), str(listed()))
    there = listed()
    lost = sorted(set(acknowledged) - set(there))
    report.check(NAME, f"{what}: every acknowledged account is listed", not lost, f"lost {lost}")
    strangers = sorted(set(there) - set(acknowledged) - set(unsure))
    report.check(NAME, f"{what}: nothing else is listed", not strangers, str(strangers))
    for node in fleet.nodes:
        ours = {name for name in node.users() if name.startswith("kill_")}
        report.check(NAME, f"{what}: the {node.role} has exactly the listed accounts",
                     ours == set(there), f"{sorted(ours ^ set(there))}")
        known = {**acknowledged, **unsure}
        cannot = [n for n in there if not can_login(node.port, n, known[n])]
        report.check(NAME, f"{what}: each logs in on the {node.role}", not cannot, str(cannot))
    for name in there:
        signer.acs3("DeleteAccount", {"InstanceId": instance, "AccountName": name})
    report.check(NAME, f"{what}: all can be deleted", eventually(lambda: not listed())
                 and eventually(lambda: not any(
                     name.startswith("kill_") for n in fleet.nodes for name in n.users())))
