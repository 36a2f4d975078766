"""One account, all clouds: made in one, read in every other, changed in a third, deleted in a
fourth. After every step all of them must tell the same, and the servers must agree.

An Adapter (harness/clouds/) speaks through its cloud's official Python SDK, in common words:

    Adapter(service, instance, log)     .close()    .cloud, its name
    create(name, password, role)        role is "read" or "write"
    grant(name, role)   password(name, new)   describe(name, text)   delete(name)
    rows()              {name: {"role": ..., "ready": bool, "text": ...}}, default accounts left out

A cloud whose service has no such notion may leave out "text" (None means: not compared)."""

from .clients import Unavailable
from .clouds import CLOUDS, aliyun
from .report import eventually
from .resp import can_login
from .rights import prove_rights

NAME = "matrix"
CLOUD_NAMES = ("aliyun", "tencent", "volcengine", "huawei")
PRIVILEGES = {"read": "RoleReadOnly", "write": "RoleReadWrite"}


class Matrix:
    """The walk; it leaves no accounts of its own."""

    def __init__(self, report, fleet, adapters, vault):
        self.report, self.fleet, self.adapters, self.vault = report, fleet, adapters, vault

    def check(self, what, good, detail=""):
        return self.report.check(NAME, what, good, detail)

    def secret(self, text):
        self.vault.add(text)
        return text

    def agree(self, step, name, role, text, passwords):
        """Every cloud tells the same of the account, and the nodes have it so."""
        for adapter in self.adapters:
            def told(adapter=adapter):
                row = adapter.rows().get(name, {})
                texts = row.get("text") in (None, text)
                return row if row.get("role") == role and row.get("ready") and texts else None

            self.check(f"{step}: {adapter.cloud} tells role, state and text", eventually(told),
                       f"want {role} {text!r}, got {adapter.rows().get(name)}")
        right, wrong = passwords
        for node in self.fleet.nodes:
            for password in wrong:
                self.check(f"{step}: a former password is refused on the {node.role}",
                           eventually(lambda n=node, p=password: not can_login(n.port, name, p)))
        prove_rights(self.report, f"{NAME}: {step}", self.fleet, name, right, PRIVILEGES[role])

    def absent(self, step, name):
        for adapter in self.adapters:
            self.check(f"{step}: {adapter.cloud} lists it no more",
                       eventually(lambda a=adapter: name not in a.rows()))
        for node in self.fleet.nodes:
            self.check(f"{step}: it is gone from the {node.role}",
                       eventually(lambda n=node: name not in n.users()))

    def run(self):
        for turn in range(len(self.adapters)):
            self.walk(turn)
        names = [sorted(adapter.rows()) for adapter in self.adapters]
        self.check("all lists are the same in the end", names.count(names[0]) == len(names),
                   str(names))

    def walk(self, turn):
        """The parts go round: each cloud has each part once."""
        maker, second, third, fourth = (
            self.adapters[(turn + part) % len(self.adapters)] for part in range(4)
        )
        name, text = f"matrix{turn}", ""
        first, new = self.secret(f"Matrix_{turn}-First1"), self.secret(f"Matrix_{turn}-Second2")
        maker.create(name, first, "read")
        self.agree(f"made by {maker.cloud}", name, "read", text, (first, []))
        second.grant(name, "write")
        self.agree(f"granted by {second.cloud}", name, "write", text, (first, []))
        third.password(name, new)
        self.agree(f"password by {third.cloud}", name, "write", text, (new, [first]))
        text = f"text-of-{second.cloud}"
        second.describe(name, text)
        third.grant(name, "read")
        self.agree(f"text by {second.cloud}, right by {third.cloud}", name, "read", text,
                   (new, [first]))
        fourth.delete(name)
        self.absent(f"deleted by {fourth.cloud}", name)


def run(report, service, instance, fleet, directory, vault):
    """All clouds that are there; a missing one is skipped by name."""
    present = {"aliyun": aliyun, **CLOUDS}
    adapters = []
    try:
        for name in CLOUD_NAMES:
            kind = getattr(present.get(name), "Adapter", None)
            if kind is None:
                report.skip(f"{NAME}: {name}", "it is not there")
                continue
            try:
                adapters.append(kind(service, instance, directory / f"matrix-{name}.log"))
            except Unavailable as reason:
                report.skip(f"{NAME}: {name}", str(reason))
        if len(adapters) > 1:
            Matrix(report, fleet, adapters, vault).run()
    finally:
        for adapter in adapters:
            adapter.close()
