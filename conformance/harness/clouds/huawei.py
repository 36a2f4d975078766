"""Huawei Cloud: its clients, and how each is led through its walk."""

import shutil

from ..clients import CACHE, HERE, Go, Java, Node, Python, Unavailable, once, run
from .huawei_driver import HuaweiDriver
from .huawei_walk import Walk
from .huawei_wire import Wire

# Those that take a private CA by their own means.
TLS_CLIENTS = ("huawei-python", "huawei-python-region")
ENGINE_CLIENT = "huawei-python"

walk = Walk


def suites(run_of, bench, instance):
    """The wire, without a client."""
    if "wire" in run_of.suites:
        with run_of.report.suite("huawei wire"):
            Wire(run_of.report, bench.service, instance, bench.fleet, run_of.vault).run()


def exception(_, status):
    """The SDKs tell the caller's faults from the service's."""
    return "ServerResponseException" if status >= 500 else "ClientRequestException"


class Huawei:
    """What the clients of this cloud have in common."""

    cloud = "huawei"


class HuaweiPython(Huawei, Python):
    """huaweicloudsdkdcs; the mode says how to find the project, or how to sign."""

    def __init__(self, name, mode="", heavy=False):
        super().__init__(name, "huawei_python", "huawei", exception, mode)
        # The SDK's own curves are slow.
        self.heavy = heavy


class HuaweiNode(Huawei, Node):
    """The core, from the lock file beside its program."""

    directory = HERE / "clients/huawei-node"

    def __init__(self, name, mode=""):
        super().__init__(name, "client", exception, mode)

    def prepare(self):
        for tool in ("node", "npm"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        inputs = [self.directory / "package.json", self.directory / "package-lock.json"]
        once("huawei-node", inputs, lambda: run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self.directory))
        self.command = ["node", "client.js"]


class HuaweiGo(Huawei, Go):
    """The v3 SDK."""

    def __init__(self, name):
        super().__init__(name, "huawei-go", lambda c, s: "ServiceResponseError")


class HuaweiJava(Huawei, Java):
    """The v3 SDK."""

    directory = HERE / "clients/huawei-java"

    def __init__(self, name):
        super().__init__(name, "HuaweiClient", exception)

    def prepare(self):
        target = CACHE / "huawei-java"
        sources = sorted(self.directory.rglob("*.java"))
        once("huawei-java", [self.directory / "pom.xml", *sources], lambda: run(
            ["mvn", "-B", "-q", f"-DbuildDirectory={target}", "package",
             "dependency:copy-dependencies", f"-DoutputDirectory={target}/lib"], self.directory))
        self.command = ["java", "-cp", f"{target}/classes:{target}/lib/*", self.main]


def all_clients():
    """In the order in which they run."""
    return [
        HuaweiPython("huawei-python"),
        HuaweiPython("huawei-python-region", "region"),
        HuaweiPython("huawei-python-sm3", "sm3"),
        HuaweiPython("huawei-python-ecdsa", "ecdsa", heavy=True),
        HuaweiPython("huawei-python-sm2", "sm2", heavy=True),
        HuaweiNode("huawei-node"),
        HuaweiNode("huawei-node-region", "region"),
        HuaweiGo("huawei-go"),
        HuaweiJava("huawei-java"),
    ]


class Adapter:
    """For the matrix of clouds."""

    cloud = "huawei"

    def __init__(self, service, instance, log):
        self.client = all_clients()[0]
        self.client.prepare()
        self.instance = instance
        self.driver = HuaweiDriver(self.client, log)
        self.driver.connect(service)

    def close(self):
        self.driver.__exit__()

    def _call(self, action, name=None, **params):
        if name:
            rows = self._call("ListAclAccounts")["accounts"]
            params["account_id"] = next(
                row["account_id"] for row in rows if row["account_name"] == name)
        return self.driver.call(action, instance_id=self.instance, **params)["body"]

    def create(self, name, password, role):
        self._call("CreateAclAccount", account_name=name, account_password=password,
                   account_role=role)

    def rows(self):
        return {
            row["account_name"]: {
                "role": row["account_role"],
                "ready": row["status"] == "AVAILABLE",
                "text": row["description"] or "",
            }
            for row in self._call("ListAclAccounts")["accounts"]
            if row["account_type"] == "normal"
        }

    def grant(self, name, role):
        self._call("UpdateAclAccount", name, account_role=role)

    def password(self, name, new):
        self._call("ResetAclAccountPassWord", name, new_password=new)

    def describe(self, name, text):
        self._call("UpdateAclAccountRemark", name, description=text)

    def delete(self, name):
        self._call("DeleteAclAccount", name)
