"""The claviger under test: one process, its own data directory, everything it says kept."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from .nodes import free_port
from .report import eventually


class Service:
    """`claviger serve` on a free port. `logs` collects what every start of it printed."""

    def __init__(self, binary, directory, access_key, secret_key, tls=None):
        self.binary = binary
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / "data"
        self.access_key, self.secret_key, self.tls = access_key, secret_key, tls
        self.port = free_port()
        self.process = None
        # The URL of its database, and whose it is, if it has no file of its own.
        self.store, self.shared = None, None
        self.starts = 0
        # What the leak check reads: the commands' output and every error body seen.
        self.output, self.error_bodies = "", []

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def protocol(self):
        return "https" if self.tls else "http"

    def environment(self, **more):
        """What both the service and the command line get; nothing secret is an argument."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("CLAVIGER_")}
        env.update(
            CLAVIGER_ROOT_ACCESS_KEY=self.access_key,
            CLAVIGER_ROOT_SECRET_KEY=self.secret_key,
            CLAVIGER_ACCESS_KEY=self.access_key,
            CLAVIGER_SECRET_KEY=self.secret_key,
            CLAVIGER_ENDPOINT=f"{self.protocol}://{self.address}",
            RUST_BACKTRACE="1",
        )
        if self.store:
            env["CLAVIGER_STORE"] = self.store
        if self.tls:
            env["CLAVIGER_CA"] = str(self.tls.ca)
        env.update(more)
        return env

    def start(self):
        """Starts the process and waits until it serves."""
        self.starts += 1
        command = [
            self.binary, "serve", "--data-dir", str(self.data), "--listen", self.address,
            "--log-level", "debug", "--sweep-interval", "1s",
        ]
        if self.tls:
            command += ["--tls-cert", str(self.tls.cert), "--tls-key", str(self.tls.key)]
        log = self.directory / f"serve-{self.starts}"
        self.process = subprocess.Popen(
            command,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log.with_suffix(".out").open("wb"),
            stderr=log.with_suffix(".err").open("wb"),
        )
        eventually(self._ready, 20)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            code = self.process.returncode
            raise RuntimeError(f"claviger serve ended with {code}: {self.tail()}")
        return self.get("/readyz")[0] == 200

    def get(self, path):
        """(status, body) of a plain GET."""
        context = self.tls.context() if self.tls else None
        url = f"{self.protocol}://{self.address}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def run(self, *arguments, **environment):
        """Runs a claviger command; (exit code, standard output, standard error)."""
        done = subprocess.run(
            [self.binary, *arguments],
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.output += done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    def add_instance(self, name, fleet):
        """Registers the fleet's nodes; raises with the command's own words when refused."""
        nodes = [word for url in fleet.urls() for word in ("--node", url)]
        code, out, err = self.run(
            "instance", "add", name, *nodes, CLAVIGER_NODE_PASSWORD=fleet.secrets["node"]
        )
        if code:
            raise RuntimeError(f"claviger instance add ended with {code}: {(err or out).strip()}")

    def status(self, name):
        """`claviger status NAME --json`, parsed."""
        code, out, err = self.run("status", name, "--json")
        if code:
            raise RuntimeError(f"claviger status ended with {code}: {err.strip()}")
        return json.loads(out)

    def kill(self):
        """SIGKILL, as the power cut would."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self):
        """SIGTERM; returns the exit code, or None if it had to be killed."""
        if not self.process or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def logs(self):
        """Everything printed by every start."""
        return "".join(
            path.read_text(errors="replace") for path in sorted(self.directory.glob("serve-*"))
        )

    def tail(self):
        return self.logs()[-600:].strip()


class Keyed:
    """The same service with a key of its own: what a key may ask for in a second is counted by
    key, so a suite that floods the service does not slow the next one."""

    def __init__(self, service, vault):
        self._service = service
        code, out, err = service.run("key", "create", "--role", "admin", "--json")
        if code:
            raise RuntimeError(f"claviger key create ended with {code}: {err.strip()}")
        made = json.loads(out)
        self.access_key, self.secret_key = made["id"], made["secret"]
        # It is shown once, on purpose, in the output that the leak check reads.
        self.hide(made["secret"])
        vault.add(self.secret_key)

    def hide(self, secret):
        self._service.output = self._service.output.replace(secret, "(shown once)")

    def __getattr__(self, name):
        return getattr(self._service, name)
