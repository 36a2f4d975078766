"""Tencent Cloud: its clients, the life of accounts through each, and the wire."""

import shutil

from .. import clients
from ..clients import CACHE, HERE, once, run
from ..driver import Driver
from . import tencent_mixed, tencent_wire
from .tencent_matrix import Adapter  # noqa: F401: harness/matrix.py drives it
from .tencent_walk import Patient, Walk

TC3, SHA1, SHA256 = "TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256"


class Cloud:
    """What all clients of this cloud have in common."""

    cloud = "tencent"
    # A process for each call: it takes the shorter walk.
    slow = False
    # Actions that this SDK does not have, and parameters that its models drop.
    without = drops = ()

    @staticmethod
    def normalise(body):
        """Bodies have the wire's names already."""
        return body

    def exception(self, code, status):
        return self.raises


class Python(Cloud, clients.Python):
    """The Python SDK."""

    raises = "TencentCloudSDKException"

    def __init__(self, name, mode):
        super().__init__(name, "tencent_python", "tencent", None, mode)

    def exception(self, code, status):
        return self.raises


class Cli(Cloud, clients.Python):
    """The command line: it brings the whole SDK, in an environment of its own."""

    raises = "CliError"
    slow = True

    def __init__(self, name):
        super().__init__(name, "tencent_cli", "tccli", None)

    def exception(self, code, status):
        return self.raises


class Node(Cloud, clients.Node):
    """A Node SDK, from the lock file beside its programs."""

    directory = HERE / "clients/tencent-node"
    raises = "TencentCloudSDKHttpException"

    def __init__(self, name, program, mode="", without=()):
        super().__init__(name, program, None, mode)
        self.without = without

    def prepare(self):
        for tool in ("node", "npm"):
            if not shutil.which(tool):
                raise clients.Unavailable(f"{tool} is not installed")
        inputs = [self.directory / "package.json", self.directory / "package-lock.json"]
        once("tencent-node", inputs, lambda: run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self.directory))
        self.command = ["node", f"{self.program}.js"]

    def exception(self, code, status):
        return self.raises


class Go(Cloud, clients.Go):
    """The Go SDK."""

    raises = "TencentCloudSDKError"

    def __init__(self, name, mode, without=()):
        super().__init__(name, "tencent-go", None)
        self.mode, self.without = mode, without

    def exception(self, code, status):
        return self.raises


class Java(Cloud, clients.Java):
    """The Java SDK."""

    directory = HERE / "clients/tencent-java"
    raises = "TencentCloudSDKException"
    drops = ("EncryptPassword",)

    def __init__(self, name, mode, without=()):
        super().__init__(name, "Tencent", None)
        self.mode, self.without = mode, without

    def prepare(self):
        target = CACHE / "tencent-java"
        sources = sorted(self.directory.rglob("*.java"))
        once("tencent-java", [self.directory / "pom.xml", *sources], lambda: run(
            ["mvn", "-B", "-q", f"-DbuildDirectory={target}", "package",
             "dependency:copy-dependencies", f"-DoutputDirectory={target}/lib"], self.directory))
        self.command = ["java", "-cp", f"{target}/classes:{target}/lib/*", self.main]

    def exception(self, code, status):
        return self.raises


def all_clients():
    """Every client, in the order in which they run."""
    policies = ("DescribeInstancePasswordPolicy", "ModifyInstancePasswordPolicy")
    return [
        Python("tencent-python", f"{TC3} POST"),
        Python("tencent-python-get", f"{TC3} GET"),
        Python("tencent-python-v1", f"{SHA1} POST"),
        Python("tencent-python-v1-get", f"{SHA256} GET"),
        Cli("tccli"),
        Node("tencent-node", "new", f"{TC3} POST"),
        Node("tencent-node-v1", "new", f"{SHA1} GET"),
        Node("tencent-node-intl", "intl", without=policies),
        Go("tencent-go", f"{TC3} POST", without=policies),
        Go("tencent-go-v1", f"{SHA256} GET", without=policies),
        Java("tencent-java", f"{TC3} POST", without=(
            *policies, "DescribeInstanceSupportFeature", "ModifyInstancePassword")),
    ]


# Over TLS with a private authority, and on every further server.
TLS_CLIENTS = ("tencent-python", "tencent-node")
ENGINE_CLIENT = "tencent-python"


def walk(report, client, service, instance, fleet, vault):
    """The life cycle of one client."""
    return Walk(report, client, service, instance, fleet, vault)


def suites(run, bench, instance):
    """The wire, nodes that stay away, and one account through two dialects."""
    report, vault = run.report, run.vault
    if "wire" in run.suites:
        with report.suite("tencent wire"):
            tencent_wire.run(report, bench.service, instance, bench.fleet, vault)
    ours = next((c for c in run.ready if c.name == "tencent-python"), None)
    theirs = next((c for c in run.ready if c.name == "python-new"), None)
    if "lifecycle" not in run.suites:
        return
    if not ours or not theirs:
        report.skip("two dialects", "tencent-python and python-new are both needed")
        return
    with report.suite("two dialects"):
        with Driver(ours, run.directory / "mixed-tencent.log") as one, \
                Driver(theirs, run.directory / "mixed-aliyun.log") as other:
            one.connect(bench.service)
            other.connect(bench.service)
            tencent_mixed.run(report, bench, instance, vault, Patient(one), other)
