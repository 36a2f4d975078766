"""What an account may do, tried on the servers with the account's own password.

A verdict is `ok` or the first word of the error. Redis checks the rights before the role, so a
permitted write on a replica says READONLY, a forbidden one NOPERM.
"""

from .resp import RespError, login, verdict

# Command, and the verdict of a server that lets it pass on a primary and on a replica.
READ, WRITE = ("ok", "ok"), ("ok", "READONLY")

SETUP = [("SET", "conf:s", "1"), ("DEL", "conf:l"), ("RPUSH", "conf:l", "3", "1", "2")]

READS = [
    ("GET", "conf:s"), ("EXISTS", "conf:s"), ("TYPE", "conf:l"), ("TTL", "conf:s"), ("SCAN", "0"),
    ("LRANGE", "conf:l", "0", "-1"), ("KEYS", "conf:*"), ("PING",), ("INFO", "server"), ("TIME",),
    ("SELECT", "0"), ("PUBSUB", "CHANNELS"),
]
WRITES = [
    ("SET", "conf:s", "2"), ("INCR", "conf:s"), ("EXPIRE", "conf:s", "1000"),
    ("LPUSH", "conf:l", "4"), ("DEL", "conf:none"),
]
# Dangerous for the server but promised to read-write accounts by the cloud's own pages.
PROMISED = [("SORT", "conf:l"), ("FLUSHDB",), ("FLUSHALL",), ("SWAPDB", "0", "1")]
SCRIPTS = [("EVAL", "return 1", "0"), ("PUBLISH", "conf", "x")]
SERVER = [
    ("CONFIG", "GET", "maxmemory"), ("ACL", "LIST"), ("ACL", "SETUSER", "conf_intruder"),
    ("CLIENT", "LIST"), ("CLIENT", "KILL", "ID", "0"), ("MONITOR",), ("ACL", "WHOAMI"),
    ("SAVE",), ("SLOWLOG", "GET"), ("LATENCY", "LATEST"), ("MIGRATE", "h", "1", "k", "0", "1"),
]
REPLICATION = [("REPLCONF", "listening-port", "1")]
RESTORE = ("RESTORE", "conf:r", "0", "not a dump")


# Further clouds' words for the same promises.
SAME = {"r": "RoleReadOnly", "rw": "RoleReadWrite"}


def write_only():
    """Tencent Cloud's `w`: writes, and no command that only reads data."""
    fine = [command for command in READS if command[0] in ("PING", "INFO", "TIME", "SELECT")]
    rows = [(command, *READ) for command in fine + [("PUBLISH", "conf", "x")]]
    rows += [(command, *WRITE) for command in WRITES]
    refused = [command for command in READS if command not in fine]
    refused += PROMISED + SERVER + REPLICATION + [("EVAL", "return 1", "0"), RESTORE]
    return rows + [(command, "NOPERM", "NOPERM") for command in refused]


def expectations(privilege, version):
    """(command, verdict on the primary, verdict on the replica) of a documented privilege."""
    privilege = SAME.get(privilege, privilege)
    if privilege == "w":
        return write_only()
    rows = [(command, *READ) for command in READS]
    if privilege == "RoleReadOnly":
        refused = WRITES + PROMISED + SERVER + REPLICATION + [("EVAL", "return 1", "0"), RESTORE]
        if version >= (7, 0, 0):
            rows += [(("SORT_RO", "conf:l"), *READ), (("EVAL_RO", "return 1", "0"), *READ)]
    else:
        rows += [(command, *WRITE) for command in WRITES + PROMISED]
        rows += [(command, *READ) for command in SCRIPTS]
        refused = list(SERVER)
        if privilege == "RoleRepl":
            rows += [(command, *READ) for command in REPLICATION]
            rows.append((RESTORE, "ERR", "READONLY"))
        else:
            refused += REPLICATION + [RESTORE]
    return rows + [(command, "NOPERM", "NOPERM") for command in refused]


def wrong_verdicts(node, user, password, privilege):
    """Runs every command of the table on one node; the list of those that came out otherwise."""
    if not node.primary:
        with node.probe() as probe:
            for command in SETUP:
                probe.call(*command)
    wrong = []
    for command, on_primary, on_replica in expectations(privilege, node.version):
        want = on_replica if node.primary else on_primary
        # A connection each: MONITOR or a kill, were they let through, would spoil the next one.
        with login(node.port, user, password) as connection:
            got = verdict(connection, *command)
        if got != want:
            wrong.append(f"{' '.join(command)}: {got}, want {want}")
    return wrong


def prove_rights(report, suite, fleet, user, password, privilege):
    """One check per node: the account logs in and has exactly the rights of its privilege."""
    for node in fleet.nodes:
        what = f"{user} ({privilege}) logs in on the {node.role} with exactly its rights"
        try:
            wrong = wrong_verdicts(node, user, password, privilege)
        except RespError as error:
            report.check(suite, what, False, str(error))
        else:
            report.check(suite, what, not wrong, "; ".join(wrong[:6]))
