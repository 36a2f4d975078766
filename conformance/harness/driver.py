"""A vendor client as a child process that speaks the line protocol of clients/protocol.py."""

import json
import subprocess
import threading


class Refused(Exception):
    """The SDK's own exception, as its program reported it."""

    def __init__(self, answer):
        super().__init__(f"{answer['type']} {answer['code']} {answer['message']}")
        self.type, self.code = answer["type"], answer["code"]
        self.status, self.message = answer.get("status"), answer["message"]


class Driver:
    """One running client program."""

    def __init__(self, client, log):
        self.client = client
        self._log = open(log, "ab")
        self._process = subprocess.Popen(
            client.command,
            cwd=client.directory,
            env=client.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _ask(self, request):
        # A client that hangs is ended, so that the read below ends as well.
        watchdog = threading.Timer(60, self._process.kill)
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise RuntimeError(f"the client program ended; its words are in {self._log.name}")
        return json.loads(line)

    def connect(self, service, access_key=None, secret_key=None, endpoint=None):
        """Makes the SDK's client object; other keys or another endpoint if given."""
        answer = self._ask(
            {
                "op": "connect",
                "endpoint": endpoint or service.address,
                "protocol": service.protocol,
                "access_key": access_key or service.access_key,
                "secret_key": secret_key or service.secret_key,
                "token": getattr(service, "token", None),
                "ca": str(service.tls.ca) if service.tls else None,
                "mode": self.client.mode,
            }
        )
        if not answer["ok"]:
            raise Refused(answer)

    def call(self, action, **params):
        """One API call; the body with the wire's names, or Refused."""
        answer = self._ask({"op": "call", "action": action, "params": params})
        if not answer["ok"]:
            raise Refused(answer)
        # Null is nothing in some languages.
        return getattr(self.client, "normalise", normalise)(answer.get("body"))


def normalise(value):
    """Typed SDK models back to the wire's names and list wrappers.

    Some SDKs spell members `accountName` and drop the wrapper of a list; the rest of the harness
    reads `AccountName` and `{"Accounts": {"Account": [...]}}` only.
    """
    if isinstance(value, list):
        return [normalise(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, item in value.items():
        name = name[:1].upper() + name[1:]
        item = normalise(item)
        if isinstance(item, list) and name in WRAPPED:
            item = {WRAPPED[name]: item}
        if item is not None:
            out[name] = item
    return out


WRAPPED = {
    "Accounts": "Account",
    "DatabasePrivileges": "DatabasePrivilege",
}
