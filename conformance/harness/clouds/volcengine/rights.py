"""What the four roles may do, tried on the servers with the account's own password.

The verdicts are those of `docs/engines.md`, section 7: `ok` or the first word of the error, on the
primary and on a replica. A permitted write on a replica says READONLY, a forbidden one NOPERM.
"""

from ...resp import RespError, login, verdict
from ...rights import PROMISED, READ, READS, REPLICATION, RESTORE, SETUP, WRITE, WRITES

ADMINISTRATOR, READ_WRITE, READ_ONLY, NOT_DANGEROUS = (
    "Administrator", "ReadWrite", "ReadOnly", "NotDangerous")
ROLES = (ADMINISTRATOR, READ_WRITE, READ_ONLY, NOT_DANGEROUS)

# What no role gives but Administrator in part: it sees the server, it does not change its users,
# its configuration or its topology.
OPERATING = [
    ("CLIENT", "LIST"), ("CLIENT", "KILL", "ID", "0"), ("SLOWLOG", "GET"), ("LATENCY", "LATEST"),
]
FENCED = [
    ("CONFIG", "GET", "maxmemory"), ("CONFIG", "SET", "maxmemory", "0"), ("ACL", "LIST"),
    ("ACL", "SETUSER", "conf_intruder"), ("ACL", "GETUSER", "default"),
    ("MIGRATE", "h", "1", "k", "0", "1"), ("REPLICAOF", "NO", "ONE"),
    ("SHUTDOWN", "NOSAVE"),
]
MONITOR = ("MONITOR",)
EVAL = ("EVAL", "return 1", "0")
PUBLISH = ("PUBLISH", "conf", "x")
KEYS = ("KEYS", "conf:*")
# KEYS is of the dangerous class: NotDangerous lacks what ReadOnly has.
SAFE_READS = [command for command in READS if command != KEYS]


def expectations(role, version):
    """(command, verdict on the primary, verdict on the replica) of a role."""
    refused = list(FENCED) + REPLICATION
    rows = [(command, *READ) for command in SAFE_READS]
    if role == READ_ONLY:
        rows.append((KEYS, *READ))
        refused += WRITES + PROMISED + OPERATING + [MONITOR, EVAL, RESTORE]
        if version >= (7, 0, 0):
            rows += [(("SORT_RO", "conf:l"), *READ), (("EVAL_RO", "return 1", "0"), *READ)]
        return rows + [(command, "NOPERM", "NOPERM") for command in refused]
    rows += [(command, *WRITE) for command in WRITES]
    rows += [(command, *READ) for command in (EVAL, PUBLISH)]
    if role == NOT_DANGEROUS:
        refused += PROMISED + OPERATING + [KEYS, MONITOR, RESTORE]
        return rows + [(command, "NOPERM", "NOPERM") for command in refused]
    rows.append((KEYS, *READ))
    rows += [(command, *WRITE) for command in PROMISED]
    if role == READ_WRITE:
        refused += OPERATING + [MONITOR, RESTORE]
    else:
        # KILL of a client that is not there is an error of another kind than a missing right.
        rows += [(("CLIENT", "LIST"), *READ), (("SLOWLOG", "GET"), *READ),
                 (("LATENCY", "LATEST"), *READ), (("ACL", "WHOAMI"), *READ), (MONITOR, *READ)]
        rows.append((RESTORE, "ERR", "READONLY"))
    return rows + [(command, "NOPERM", "NOPERM") for command in refused]


def wrong_verdicts(node, user, password, role):
    """Runs every command of the table on one node; the list of those that came out otherwise."""
    if not node.primary:
        with node.probe() as probe:
            for command in SETUP:
                probe.call(*command)
    wrong = []
    for command, on_primary, on_replica in expectations(role, node.version):
        want = on_replica if node.primary else on_primary
        # A connection each: MONITOR or a kill, were they let through, would spoil the next one.
        with login(node.port, user, password) as connection:
            got = verdict(connection, *command)
        if got != want:
            wrong.append(f"{' '.join(command)}: {got}, want {want}")
    return wrong


def prove(report, suite, fleet, user, password, role):
    """One check per node: the account logs in and has exactly the rights of its role."""
    for node in fleet.nodes:
        what = f"{user} ({role}) logs in on the {node.role} with exactly its rights"
        try:
            wrong = wrong_verdicts(node, user, password, role)
        except RespError as error:
            report.check(suite, what, False, str(error))
        else:
            report.check(suite, what, not wrong, "; ".join(wrong[:6]))
