"""The line protocol for Huawei Cloud: a project beside the key, answers with their status."""

import json

from ..driver import Driver, Refused


def project_of(service):
    """The installation's project, as `claviger info` tells it."""
    code, out, err = service.run("info", "--json")
    if code:
        raise RuntimeError(f"claviger info ended with {code}: {err.strip()}")
    return json.loads(out)["project_id"]


class HuaweiDriver(Driver):
    """`call` answers {"status": ..., "body": ...}."""

    def connect(self, service, access_key=None, secret_key=None, project=None):
        answer = self._ask({
            "op": "connect",
            "endpoint": service.address,
            "protocol": service.protocol,
            "access_key": access_key or service.access_key,
            "secret_key": secret_key or service.secret_key,
            "project_id": project or project_of(service),
            "token": getattr(service, "token", None),
            "ca": str(service.tls.ca) if service.tls else None,
            "mode": self.client.mode,
        })
        if not answer["ok"]:
            raise Refused(answer)

    def call(self, action, **params):
        answer = self._ask({"op": "call", "action": action, "params": params})
        if not answer["ok"]:
            raise Refused(answer)
        return answer["body"]
