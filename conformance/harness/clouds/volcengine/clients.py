"""The official clients: how each is installed, started and what its own quirks are."""

import os
import shutil
import sys

from ...clients import CACHE, HERE, Client, Unavailable, once, run


class Volcengine(Client):
    """One client in one mode. `kind` is the class name of its exception for a refusal."""

    cloud = "volcengine"
    ca = None

    @staticmethod
    def normalise(body):
        """Bodies have the wire's names already."""
        return body

    def __init__(self, name, tag, kind, mode=""):
        super().__init__(name, mode)
        # Ours in account names: at most 9 letters.
        self.tag, self.kind = tag, kind

    def exception(self, code, status):
        return self.kind

    def environment(self):
        dropped = ("VOLCENGINE_", "VOLC_", "BYTEPLUS_")
        env = {k: v for k, v in super().environment().items() if not k.startswith(dropped)}
        # Where the client has no setting for a private authority.
        if self.ca:
            env.update(NODE_EXTRA_CA_CERTS=self.ca, REQUESTS_CA_BUNDLE=self.ca,
                       SSL_CERT_FILE=self.ca)
        return env


class Python(Volcengine):
    """A Python SDK; all of them in one virtual environment."""

    def __init__(self, name, tag, kind, program, mode=""):
        super().__init__(name, tag, kind, mode)
        self.program = program

    def prepare(self):
        self.command = [str(python_environment()), f"{self.program}.py"]


def python_environment():
    """The interpreter of a virtual environment with the pinned SDKs."""
    venv = CACHE / "python-volcengine"
    wanted = HERE / "requirements-volcengine.txt"

    def build():
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", venv])
        run([venv / "bin/pip", "install", "--quiet", "--no-input", "--no-deps", "--no-compile",
             "-r", wanted])

    once("python-volcengine", [wanted], build)
    return venv / "bin/python"


class Node(Volcengine):
    """A Node SDK, from the lock file beside its programs."""

    directory = HERE / "clients/volcengine-node"

    def __init__(self, name, tag, kind, program, mode=""):
        super().__init__(name, tag, kind, mode)
        self.program = program

    def prepare(self):
        for tool in ("node", "npm"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        inputs = [self.directory / "package.json", self.directory / "package-lock.json"]
        once("volcengine-node", inputs, lambda: run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self.directory))
        self.command = ["node", f"{self.program}.js"]


class Go(Volcengine):
    """The Go SDK, built from the pinned module of its directory; CONFORMANCE_VOLCENGINE_GO may
    name the same program built elsewhere."""

    heavy = True
    directory = HERE / "clients/volcengine-go"

    def prepare(self):
        ready = os.environ.get("CONFORMANCE_VOLCENGINE_GO")
        binary, copy = CACHE / "volcengine-go", CACHE / "volcengine-go-src"

        def build():
            # In a copy, for the tool may complete go.sum.
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.directory, copy)
            env = os.environ | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
            run(["go", "build", "-o", binary, "."], copy, env=env)

        if not ready:
            once("volcengine-go", [self.directory / "main.go", self.directory / "go.mod"], build)
        self.command = [ready or str(binary)]


class Java(Volcengine):
    """The Java SDK, built by Maven from the pinned pom."""

    heavy = True
    directory = HERE / "clients/volcengine-java"

    def prepare(self):
        target = CACHE / "volcengine-java"
        sources = sorted(self.directory.rglob("*.java"))
        once("volcengine-java", [self.directory / "pom.xml", *sources], lambda: run(
            ["mvn", "-B", "-q", f"-DbuildDirectory={target}", "package",
             "dependency:copy-dependencies", f"-DoutputDirectory={target}/lib"], self.directory))
        self.command = ["java", "-cp", f"{target}/classes:{target}/lib/*", "Volcengine"]


class Ve(Volcengine):
    """The `ve` command, if one is installed."""

    heavy = True
    # It looks for required parameters by itself and does not send such a call.
    lacks = ("missing parameters",)

    def prepare(self):
        self.binary = os.environ.get("VE_CLI") or shutil.which("ve")
        if not self.binary:
            raise Unavailable(
                "no `ve` on PATH and VE_CLI is unset, and its Go module is not on the module "
                "proxy: install a release of github.com/volcengine/volcengine-cli"
            )
        self.command = [sys.executable, "volcengine_ve.py"]

    def environment(self):
        return super().environment() | {"VE_CLI": self.binary}


def all_clients():
    """Every client, in the order in which they run."""
    return [
        Python("volcengine-python", "vpy", "ApiException", "volcengine_new"),
        Python("byteplus-python", "bpy", "ApiException", "volcengine_new", "byteplus"),
        Python("volcengine-old", "vold", "Exception", "volcengine_old"),
        Python("volcengine-old-get", "voget", "Exception", "volcengine_old", "GET"),
        Python("volcengine-old-form", "voform", "Exception", "volcengine_old", "FORM"),
        Node("volcengine-openapi", "vopen", "Refused", "openapi"),
        Node("volcengine-openapi-get", "vopget", "Refused", "openapi", "GET"),
        Node("volcengine-sdk-core", "vcore", "HttpRequestError", "core"),
        Go("volcengine-go", "vgo", "RequestFailure"),
        Java("volcengine-java", "vjava", "ApiException"),
        Ve("volcengine-ve", "vve", "VeError"),
    ]
