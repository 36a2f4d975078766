"""The official clients: how each is installed, started and what its own quirks are."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
CACHE = HERE / ".cache"


class Unavailable(Exception):
    """The client cannot be had here; the text says why."""


def run(command, directory=None, timeout=900, env=None):
    """Runs an installation step; Unavailable with its last words when it fails."""
    try:
        done = subprocess.run(
            [str(word) for word in command], cwd=directory, env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout,
        )
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} took longer than {timeout} s") from None
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise Unavailable(f"{Path(command[0]).name} failed: {' / '.join(lines[-3:])[-400:]}")
    return done.stdout


def once(name, inputs, build):
    """Runs `build` unless it was done before with the same inputs."""
    stamp = CACHE / f"{name}.stamp"
    digest = hashlib.sha256()
    for path in inputs:
        digest.update(Path(path).read_bytes())
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    CACHE.mkdir(exist_ok=True)
    stamp.unlink(missing_ok=True)
    build()
    stamp.write_text(digest.hexdigest())


def python_environment(generation):
    """The interpreter of a virtual environment with the pinned SDKs of a generation."""
    venv = CACHE / f"python-{generation}"
    wanted = HERE / f"requirements-{generation}.txt"

    def build():
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", venv])
        run([venv / "bin/pip", "install", "--quiet", "--no-input", "-r", wanted])

    once(f"python-{generation}", [wanted], build)
    return venv / "bin/python"


class Client:
    """One client in one mode. `codes` maps a wire code to what this SDK makes of it."""

    cloud = "aliyun"
    heavy = False
    lacks = ()
    directory = HERE / "clients"
    codes = {}

    def __init__(self, name, mode=""):
        self.name, self.mode = name, mode

    def prepare(self):
        """Installs what is missing and sets `command`, or raises Unavailable."""
        raise NotImplementedError

    def exception(self, code, status):
        """The class name of the exception that this SDK raises for such an answer."""
        raise NotImplementedError

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("CLAVIGER_", "ALIBABA_"))}
        env.update(NO_PROXY="127.0.0.1", no_proxy="127.0.0.1", PYTHONDONTWRITEBYTECODE="1")
        return env


class Python(Client):
    """A Python SDK in a virtual environment of its own generation."""

    def __init__(self, name, program, generation, exception, mode="", codes=None):
        super().__init__(name, mode)
        self.program, self.generation, self._exception = program, generation, exception
        self.codes = codes or {}

    def prepare(self):
        self.command = [str(python_environment(self.generation)), f"{self.program}.py"]

    def exception(self, code, status):
        return self._exception(code, status)


def client_or_server(suffix):
    """The new SDKs' rule: throttling by code prefix, then by HTTP class."""

    def name(code, status):
        if code.startswith("Throttling"):
            return f"Throttling{suffix}"
        return f"{'Client' if status < 500 else 'Server'}{suffix}"

    return name


class Node(Client):
    """A Node SDK, from the lock file beside its programs."""

    directory = HERE / "clients/node"

    def __init__(self, name, program, exception, mode=""):
        super().__init__(name, mode)
        self.program, self._exception = program, exception

    def prepare(self):
        for tool in ("node", "npm"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        inputs = [self.directory / "package.json", self.directory / "package-lock.json"]
        once("node", inputs, lambda: run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self.directory))
        self.command = ["node", f"{self.program}.js"]

    def environment(self):
        # pop-core has no option for a private CA; Node itself has.
        return super().environment() | ({"NODE_EXTRA_CA_CERTS": self.ca} if self.ca else {})

    ca = None

    def exception(self, code, status):
        return self._exception(code, status)


class Go(Client):
    """A Go SDK, built from the pinned module of its directory.

    Where the module cannot be downloaded, CONFORMANCE_GO_NEW (and so on) may name the same program
    built elsewhere.
    """

    heavy = True

    def __init__(self, name, folder, exception, codes=None):
        super().__init__(name)
        self.directory = HERE / "clients" / folder
        self.codes, self._exception = codes or {}, exception

    def prepare(self):
        folder = self.directory.name
        ready = os.environ.get(f"CONFORMANCE_{folder.upper().replace('-', '_')}")
        binary, copy = CACHE / folder, CACHE / f"{folder}-src"

        def build():
            # In a copy, for the tool may complete go.sum.
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.directory, copy)
            env = os.environ | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
            run(["go", "build", "-o", binary, "."], copy, env=env)

        if not ready:
            once(folder, [self.directory / "main.go", self.directory / "go.mod"], build)
        self.command = [ready or str(binary)]

    def exception(self, code, status):
        return self._exception(code, status)


class Java(Client):
    """A Java SDK, built by Maven from the pinned pom."""

    heavy = True
    directory = HERE / "clients/java"

    def __init__(self, name, main, exception, codes=None, lacks=()):
        super().__init__(name)
        self.main, self._exception = main, exception
        self.codes, self.lacks = codes or {}, lacks

    def prepare(self):
        target = CACHE / "java"
        sources = sorted(self.directory.rglob("*.java"))
        once("java", [self.directory / "pom.xml", *sources], lambda: run(
            ["mvn", "-B", "-q", f"-DbuildDirectory={target}", "package",
             "dependency:copy-dependencies", f"-DoutputDirectory={target}/lib"], self.directory))
        self.command = ["java", "-cp", f"{target}/classes:{target}/lib/*", self.main]

    def exception(self, code, status):
        return self._exception(code, status)


class AliyunCli(Client):
    """The Go command line, if one is installed."""

    heavy = True
    # It checks for required parameters by itself and does not send such a call.
    lacks = ("missing parameters",)

    def prepare(self):
        self.binary = os.environ.get("ALIYUN_CLI") or shutil.which("aliyun")
        if not self.binary:
            raise Unavailable(
                "no `aliyun` on PATH and ALIYUN_CLI is unset; its module is not go-installable "
                "(its metadata is a submodule): install a release of github.com/aliyun/aliyun-cli"
            )
        self.command = [sys.executable, "aliyun_cli.py"]

    def environment(self):
        return super().environment() | {"ALIYUN_CLI": self.binary}

    def exception(self, code, status):
        return "CliError"


def all_clients():
    """Every client, in the order in which they run."""
    tea = client_or_server("Exception")
    # These SDKs compare the server's string to sign with their own and name the secret instead.
    secret = {"SignatureDoesNotMatch": [
        "SignatureDoesNotMatch", "SDK.InvalidAccessKeySecret", "InvalidAccessKeySecret"]}
    return [
        Python("python-old", "python_old", "current", lambda c, s: "ServerException", codes=secret),
        Python("python-new", "python_new", "current", tea),
        Python("python-new-v2", "python_new", "current", tea, mode="v2"),
        Python("python-3x", "python_new", "previous", lambda c, s: "TeaException"),
        Node("node-new", "new", client_or_server("Error")),
        Node("node-old-get", "old", lambda c, s: f"{c}Error", mode="GET"),
        Node("node-old-post", "old", lambda c, s: f"{c}Error", mode="POST"),
        Go("go-old", "go-old", lambda c, s: "ServerError", codes=secret),
        Go("go-core", "go-core", lambda c, s: "SDKError"),
        Go("go-new", "go-new", lambda c, s: "SDKError"),
        Java("java-old", "Old", lambda c, s: "ServerException" if s >= 500 else "ClientException",
             codes=secret),
        Java("java-new", "New", lambda c, s: "TeaException"),
        AliyunCli("aliyun-cli"),
    ]
