"""Temporary credentials through every cloud's official Python SDK, in the place where that SDK
takes the cloud's own: with a policy they may read only, without one what their key may; a wrong
token, no token and a revoked key are refused in the cloud's own words.

Uses the Adapters of harness/matrix.py."""

import json

from .clients import Unavailable
from .clouds import CLOUDS, aliyun
from .driver import Refused
from .report import eventually
from .resp import can_login
from .service import Keyed

NAME = "temporary"
CLOUD_NAMES = ("aliyun", "tencent", "volcengine", "huawei")
READS = 'permit (principal, action in Action::"read", resource);'
PASSWORD = "Temporary_1-Pass"
# What each cloud says of a call that is not permitted, of a bad token, of a key that is no more.
# The last two are asked for beside others of the same meaning: claviger does not tell strangers
# which of a key's parts was wrong.
WORDS = {
    "aliyun": ("Forbidden.RAM", ("InvalidSecurityToken.Malformed",),
               ("InvalidSecurityToken.Malformed", "InvalidAccessKeyId.NotFound",
                "InvalidAccessKeyId.Inactive")),
    "tencent": ("UnauthorizedOperation.NoCAMAuthed", ("AuthFailure.TokenFailure",),
                ("AuthFailure.TokenFailure", "AuthFailure.SecretIdNotFound")),
    "volcengine": ("AccessDenied", ("InvalidSecretToken",),
                   ("InvalidSecretToken", "InvalidAccessKey")),
    "huawei": ("DCS.2003", ("APIGW.0301",), ("APIGW.0301",)),
}


class Temporary:
    """A service as its temporary credentials see it."""

    def __init__(self, keyed, vault, directory, policy=None):
        self._keyed = keyed
        arguments = ["key", "session", "--key", keyed.access_key, "--json"]
        if policy:
            file = directory / "session.cedar"
            file.write_text(policy)
            arguments += ["--policy", str(file)]
        code, out, err = keyed.run(*arguments)
        if code:
            raise RuntimeError(f"claviger key session ended with {code}: {err.strip()}")
        made = json.loads(out)
        self.access_key, self.secret_key, self.token = made["id"], made["secret"], made["token"]
        # It is shown once, on purpose, in the output that the leak check reads.
        keyed.hide(self.secret_key)
        vault.add(self.secret_key)

    def __getattr__(self, name):
        return getattr(self._keyed, name)


class Tokens:
    """One cloud's walk; it leaves no accounts of its own."""

    def __init__(self, report, kind, service, instance, fleet, directory, vault):
        self.report, self.kind, self.instance, self.fleet = report, kind, instance, fleet
        self.directory, self.keyed = directory, Keyed(service, vault)
        self.narrow = Temporary(self.keyed, vault, directory, READS)
        self.wide = Temporary(self.keyed, vault, directory)
        self.log = directory / f"temporary-{kind.cloud}.log"
        self.name = f"temp_{kind.cloud}"
        vault.add(PASSWORD)

    def check(self, what, good, detail=""):
        return self.report.check(NAME, f"{self.kind.cloud}: {what}", good, detail)

    def adapter(self, credentials):
        return self.kind(credentials, self.instance, self.log)

    def refused(self, what, codes, act):
        try:
            act()
        except Refused as error:
            self.check(what, error.code in codes, f"{error.code}: {error.message}")
        else:
            self.check(what, False, "it was done")

    def run(self):
        denied, no_token, no_key = WORDS[self.kind.cloud]
        reader, writer = self.adapter(self.narrow), self.adapter(self.wide)
        self.check("with a policy for reading they read", isinstance(reader.rows(), dict))
        self.refused("and may not create", (denied,),
                     lambda: reader.create(self.name, PASSWORD, "read"))
        self.check("nothing was made", self.name not in writer.rows())
        writer.create(self.name, PASSWORD, "read")
        self.check("without one they create", eventually(
            lambda: reader.rows().get(self.name, {}).get("ready")))
        for node in self.fleet.nodes:
            self.check(f"it logs in on the {node.role}",
                       eventually(lambda n=node: can_login(n.port, self.name, PASSWORD)))
        writer.delete(self.name)
        self.check("and delete", eventually(lambda: self.name not in reader.rows()))
        # The last character, another one: still the alphabet of a token.
        token = self.wide.token
        self.wide.token = token[:-1] + ("A" if token[-1] != "A" else "B")
        self.refused("a token that was changed is refused", no_token,
                     self.adapter(self.wide).rows)
        self.wide.token = self.narrow.token
        self.refused("another's token is refused", no_token, self.adapter(self.wide).rows)
        self.wide.token = token
        code, _, err = self.keyed.run("key", "revoke", self.keyed.access_key)
        self.check("their key is revoked", code == 0, err)
        self.refused("they end with their key", no_key, self.adapter(self.wide).rows)
        for adapter in (reader, writer):
            adapter.close()


def run(report, service, instance, fleet, directory, vault):
    """All clouds that are there; a missing one is skipped by name."""
    present = {"aliyun": aliyun, **CLOUDS}
    for name in CLOUD_NAMES:
        kind = getattr(present.get(name), "Adapter", None)
        if kind is None:
            report.skip(f"{NAME}: {name}", "it is not there")
            continue
        try:
            Tokens(report, kind, service, instance, fleet, directory, vault).run()
        except Unavailable as reason:
            report.skip(f"{NAME}: {name}", str(reason))
