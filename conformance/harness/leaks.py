"""Looks for every password and secret of the run where none may be."""

import base64
import hashlib
import os
import threading
from pathlib import Path
from urllib.parse import quote

NAME = "secrets"


class ProcessWatch:
    """Samples every process's arguments during the run.

    The vendor's `aliyun` command takes passwords as arguments by its own design and is left out.
    """

    def __init__(self):
        self.seen = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self):
        while not self._stop.wait(0.05):
            self.sample()

    def sample(self):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    words = Path(entry.path, "cmdline").read_bytes()
                except OSError:
                    continue
                if b"r-kvstore" not in words:
                    self.seen.add(words)

    def stop(self):
        self.sample()
        self._stop.set()
        self._thread.join()
        return b"\n".join(self.seen)


def forms(secret):
    """The ways in which one secret could be written down."""
    raw = secret.encode()
    digest = hashlib.sha256(raw)
    return {
        "in clear": raw,
        "in a URL": quote(secret, safe="-_.~").encode(),
        "in a string to sign": quote(quote(secret, safe="-_.~"), safe="-_.~").encode(),
        "in base64": base64.b64encode(raw),
        "as its sha256": digest.hexdigest().encode(),
        "as its sha256 in bytes": digest.digest(),
    }


def found(secrets, haystack):
    """Which secrets are in these bytes, without repeating them."""
    return sorted({
        f"secret {number} {how}"
        for number, secret in enumerate(sorted(secrets))
        for how, needle in forms(secret).items()
        if needle in haystack
    })


def run(report, service, vault, watch, metrics):
    """One check per place. The data directory is read after the service has ended."""
    report.check(NAME, f"the run used {len(vault)} passwords and secrets", len(vault) > 1)
    places = {
        "the logs at level debug": service.logs().encode(),
        "the output of the commands": service.output.encode(),
        "the error bodies": b"\n".join(service.error_bodies),
        "/metrics": metrics,
        "the process list": watch,
    }
    files = [path for path in sorted(service.data.rglob("*")) if path.is_file()]
    report.check(NAME, "the data directory has files", files)
    if service.shared:
        # All of the cluster: tables, indexes, the log of changes.
        cluster = [path for path in service.shared.data.rglob("*") if path.is_file()]
        places["the files of PostgreSQL"] = b"".join(path.read_bytes() for path in cluster)
    for path in files:
        places[f"the file {path.relative_to(service.data)}"] = path.read_bytes()
    for place, content in places.items():
        hits = found(vault, content)
        report.check(NAME, f"none of them is in {place} ({len(content)} bytes)", not hits,
                     ", ".join(hits[:5]))
    open_files = [p.name for p in files if p.stat().st_mode & 0o077]
    report.check(NAME, "the data directory is closed to other users",
                 not open_files or not service.data.stat().st_mode & 0o077, str(open_files))
