"""A PostgreSQL of the run's own: a cluster in a temporary directory, a database for each service."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from .nodes import free_port
from .report import eventually

SYSTEM_USER = "postgres"


class Missing(Exception):
    """PostgreSQL is not installed."""


def binaries():
    """Debian's newest, else what is on PATH."""
    debian = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
    places = sorted(debian, key=lambda p: int(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    places += [Path(on_path).parent] if on_path else []
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise Missing("PostgreSQL is not installed (apt-get install postgresql)")


class Postgres:
    """Started when made; `stop` ends it. As root it runs as the package's own user."""

    def __init__(self, directory):
        self.bin = binaries()
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.made = 0
        self.user = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(SYSTEM_USER)
            # The harness's own directory is closed to others; the way through it is enough.
            self.directory.parent.chmod(0o711)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
            self.user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self.data = self.directory / "data"
        self._run("initdb", "-D", str(self.data), "--username=claviger", "--auth=trust",
                  "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                       f"unix_socket_directories = '{self.directory}'\n")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", str(self.data)], cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **self.user)
        if not eventually(lambda: self._sql("SELECT 1").returncode == 0, 30):
            raise RuntimeError("PostgreSQL does not answer")

    def _run(self, program, *arguments):
        done = subprocess.run([self.bin / program, *arguments], cwd=self.directory,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, "LC_ALL": "C.UTF-8"}, **self.user)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")

    def _sql(self, text):
        return subprocess.run(
            [self.bin / "psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.port),
             "-U", "claviger", "-d", "postgres", "-c", text],
            capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def database(self):
        """The URL of a new database."""
        self.made += 1
        name = f"claviger_{self.made}"
        done = self._sql(f"CREATE DATABASE {name}")
        if done.returncode:
            raise RuntimeError(done.stderr)
        return f"postgres://claviger@127.0.0.1:{self.port}/{name}"

    def stop(self):
        """A fast, orderly shutdown: everything is in the files afterwards."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
