"""Nodes that die, forget or are changed by hand: the service repairs them and tells the truth."""

from .nodes import Node
from .report import eventually
from .resp import can_login
from .rights import wrong_verdicts
from .signer import Signer

NAME = "repair"
FIRST, SECOND, STRANGER = "repair_one", "repair_two", "stranger"


class Repair:
    """One walk over the fleet; it leaves no accounts of its own."""

    def __init__(self, report, service, instance, fleet, vault):
        self.report, self.service, self.instance, self.fleet = report, service, instance, fleet
        self.signer = Signer(service)
        self.passwords = {FIRST: "Repair-first-1", SECOND: "Repair-second-2"}
        vault.update(self.passwords.values())

    def check(self, what, good, detail=""):
        self.report.check(NAME, what, good, detail)

    def call(self, action, **params):
        return self.signer.acs3(action, {"InstanceId": self.instance, **params}).json()

    def create(self, name):
        self.call("CreateAccount", AccountName=name, AccountPassword=self.passwords[name],
                  AccountPrivilege="RoleReadOnly")

    def status_of(self, name):
        rows = self.call("DescribeAccounts", AccountName=name)["Accounts"]["Account"]
        return rows[0]["AccountStatus"] if rows else None

    def available(self, name):
        return eventually(lambda: self.status_of(name) == "Available")

    def right(self, name, nodes=None):
        """Whether the account is as it should be on all of these nodes, in due time."""
        return eventually(lambda: not any(
            wrong_verdicts(node, name, self.passwords[name], "RoleReadOnly")
            for node in nodes or self.fleet.nodes))

    def pending(self, name):
        rows = self.service.status(self.instance)["accounts"]
        return next((row.get("pending_on", []) for row in rows if row["name"] == name), None)

    def in_sync(self):
        return eventually(lambda: self.service.status(self.instance)["in_sync"])

    def run(self):
        for node in self.fleet.nodes:
            with node.probe() as probe:
                probe.call("ACL", "SETUSER", STRANGER, "on", ">not-ours", "~x", "+get")
        self.create(FIRST)
        self.report.need(NAME, "the account to be damaged is Available", self.available(FIRST))
        self.by_hand()
        self.dead_replica()
        self.restarted_primary()
        self.new_replica()
        for name in self.passwords:
            self.call("DeleteAccount", AccountName=name)
        for node in self.fleet.nodes:
            left = eventually(lambda at=node: not set(self.passwords) & at.users())
            self.check(f"with one node gone for good, deletes reach the {node.role}", left,
                       str(node.users()))

    def by_hand(self):
        for node in self.fleet.nodes:
            with node.probe() as probe:
                probe.call("ACL", "DELUSER", FIRST)
            self.check(f"a user deleted by hand on the {node.role} comes back", self.right(FIRST))
            with node.probe() as probe:
                probe.call("ACL", "SETUSER", FIRST, "+@all", ">hand-made-password")
            self.check(f"a rule changed by hand on the {node.role} is put right",
                       self.right(FIRST))
            self.check(f"a password added by hand on the {node.role} is taken away", eventually(
                lambda at=node: not can_login(at.port, FIRST, "hand-made-password")))
        for node in self.fleet.nodes:
            self.check(f"a user that is not ours is left alone on the {node.role}",
                       can_login(node.port, STRANGER, "not-ours"))
            with node.probe() as probe:
                probe.call("ACL", "DELUSER", STRANGER)

    def dead_replica(self):
        replica = self.fleet.replica
        replica.stop()
        self.create(SECOND)
        primary = [self.fleet.primary]
        self.check("with the replica dead, a new account works on the primary",
                   self.right(SECOND, primary))
        self.check("and it is Unavailable", self.status_of(SECOND) == "Unavailable",
                   str(self.status_of(SECOND)))
        address = f"127.0.0.1:{replica.port}"
        self.check("and status names the node that lacks it", eventually(
            lambda: self.pending(SECOND) == [address]), str(self.pending(SECOND)))
        unreachable = [n["address"] for n in self.service.status(self.instance)["nodes"]
                       if not n["reachable"]]
        self.check("and status says which node is unreachable", unreachable == [address],
                   str(unreachable))
        replica.start()
        self.check("after the replica's return it becomes Available", self.available(SECOND))
        self.check("and works on both nodes", self.right(SECOND))

    def restarted_primary(self):
        primary = self.fleet.primary
        primary.stop()
        primary.forget()
        primary.start()
        self.check("a primary that comes back without its users gets them back",
                   self.right(FIRST) and self.right(SECOND))
        self.check("and status says in sync again", self.in_sync())

    def new_replica(self):
        place = self.fleet.primary.directory.parent / "second-replica"
        new = Node(self.fleet.primary.binary, place, self.fleet.secrets, self.fleet.primary)
        try:
            new.start()
            self.check("a replica added later is found and gets every account",
                       self.right(FIRST, [new]) and self.right(SECOND, [new]))
            self.check("and status lists it in sync", eventually(lambda: any(
                node["address"] == f"127.0.0.1:{new.port}" and node["in_sync"]
                for node in self.service.status(self.instance)["nodes"])))
        finally:
            new.stop()


def run(report, service, instance, fleet, vault):
    """All of it, over an instance without custom accounts."""
    Repair(report, service, instance, fleet, vault).run()
