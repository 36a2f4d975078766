"""Real servers: a primary and its replica, of any Redis or Valkey build."""

import hashlib
import os
import re
import secrets
import socket
import subprocess
from pathlib import Path

from .report import eventually
from .resp import Resp, login, verdict

# The least rights that claviger's own login needs (claviger instance login-rules prints them).
OWN_LOGIN = (
    "resetkeys -@all +acl +auth +hello +ping +info +role +command +client|setname +client|id "
    "+client|list +client|kill +config|get +config|rewrite +cluster|nodes +cluster|slots "
    "+cluster|info +cluster|myid"
)


def free_port():
    """A TCP port of the loopback interface that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def version_of(binary):
    """(major, minor, patch) and the family name of a server binary."""
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", text)
    family = "valkey" if "valkey" in text.lower() else "redis"
    return tuple(int(part) for part in found.groups()), family


class Node:
    """One server process. Its users live in an aclfile or in its configuration file."""

    def __init__(self, binary, directory, secrets_of, primary=None, persistence="aclfile"):
        self.binary, self.directory = binary, Path(directory)
        self.primary, self.persistence = primary, persistence
        self.secrets = secrets_of
        self.port = free_port()
        self.process = None
        self.version, self.family = version_of(binary)
        self.directory.mkdir(parents=True)
        self._write_files()

    def _users(self):
        channels = "allchannels" if self.version >= (6, 2, 0) else ""
        reset = "resetchannels" if self.version >= (6, 2, 0) else ""
        digest = {name: hashlib.sha256(p.encode()).hexdigest() for name, p in self.secrets.items()}
        return [
            f"user default on nopass ~* {channels} +@all",
            f"user claviger-login on #{digest['node']} {OWN_LOGIN} {reset}",
            f"user replica-link on #{digest['link']} resetkeys -@all +psync +replconf +ping "
            f"{reset}",
            f"user probe on #{digest['probe']} ~* {channels} +@all",
        ]

    def _write_files(self):
        lines = [
            "bind 127.0.0.1", f"port {self.port}", f"dir {self.directory}", 'save ""',
            "appendonly no", "daemonize no", "repl-diskless-sync-delay 0",
            f"logfile {self.directory}/server.log",
        ]
        users = [" ".join(line.split()) for line in self._users()]
        if self.persistence == "aclfile":
            (self.directory / "users.acl").write_text("\n".join(users) + "\n")
            lines.append(f"aclfile {self.directory}/users.acl")
        else:
            lines += users
        if self.primary:
            lines += [
                f"replicaof 127.0.0.1 {self.primary.port}",
                "masteruser replica-link", f"masterauth {self.secrets['link']}",
            ]
        (self.directory / "server.conf").write_text("\n".join(lines) + "\n")

    def forget(self):
        """Back to the users and settings of the first start; for a server that is stopped."""
        self._write_files()

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, str(self.directory / "server.conf")],
            stdin=subprocess.DEVNULL,
            stdout=(self.directory / "stdout").open("ab"),
            stderr=subprocess.STDOUT,
        )
        eventually(self._answers, 10)

    def _answers(self):
        if self.process.poll() is not None:
            log = (self.directory / "stdout").read_text()[-300:]
            raise RuntimeError(f"{self.binary} ended at once: {log}")
        with Resp(self.port) as connection:
            connection.call("AUTH", "probe", self.secrets["probe"])
            return connection.call("PING") == "PONG"

    def probe(self):
        """A connection with every right, for looking at what is really there."""
        return login(self.port, "probe", self.secrets["probe"])

    def users(self):
        """The names of all users on the server, without the harness's own three."""
        with self.probe() as connection:
            names = connection.call("ACL", "USERS")
        return set(names) - {"claviger-login", "replica-link", "probe"}

    def is_open(self):
        """Whether a connection may do something without a login."""
        with Resp(self.port) as connection:
            return verdict(connection, "PING") == "ok"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def role(self):
        return "replica" if self.primary else "primary"


class Fleet:
    """A primary with an aclfile and a replica whose users are in its configuration file."""

    def __init__(self, binary, directory):
        self.secrets = {name: secrets.token_urlsafe(18) for name in ("node", "link", "probe")}
        self.primary = Node(binary, Path(directory) / "primary", self.secrets)
        self.replica = Node(
            binary, Path(directory) / "replica", self.secrets, self.primary, "config"
        )
        self.nodes = [self.primary, self.replica]
        self.engine = f"{self.primary.family} {'.'.join(map(str, self.primary.version))}"

    def __enter__(self):
        try:
            for node in self.nodes:
                node.start()
            if not eventually(self._linked, 15):
                raise RuntimeError("the replica did not reach its primary")
        except BaseException:
            self.stop()
            raise
        return self

    def _linked(self):
        with self.replica.probe() as connection:
            return "master_link_status:up" in connection.call("INFO", "replication")

    def stop(self):
        for node in self.nodes:
            node.stop()

    def __exit__(self, *_):
        self.stop()

    def urls(self):
        """The node addresses as claviger takes them; the password goes by the environment."""
        return [f"redis://claviger-login@127.0.0.1:{node.port}" for node in self.nodes]


def engines(root):
    """Server binaries: the one on PATH first, then every `.engines/<name>-<version>/`."""
    found = {}
    for name in ("redis-server", "valkey-server"):
        for directory in os.environ.get("PATH", "").split(os.pathsep):
            candidate = Path(directory) / name
            if os.access(candidate, os.X_OK) and not any(k.startswith("path:") for k in found):
                found[f"path:{name}"] = str(candidate)
    for directory in sorted(Path(root, ".engines").glob("*-*")):
        for name in ("redis-server", "valkey-server", "redict-server"):
            hits = [p for p in directory.rglob(name) if p.is_file() and os.access(p, os.X_OK)]
            if hits:
                found[directory.name] = str(hits[0])
                break
    return found
