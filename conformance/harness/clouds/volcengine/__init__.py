"""Volcengine and BytePlus."""

from ...service import Keyed
from . import tokens, wire
from .clients import all_clients
from .lifecycle import Lifecycle as walk
from .matrix import Adapter

__all__ = ["Adapter", "ENGINE_CLIENT", "TLS_CLIENTS", "all_clients", "suites", "walk"]

# Over TLS with a private authority, and on every further server.
TLS_CLIENTS = ("volcengine-python", "volcengine-old", "volcengine-sdk-core")
ENGINE_CLIENT = "volcengine-python"


def suites(run, bench, instance):
    """The suites that need no client, over an instance that ends empty again."""
    service = None
    for name, suite in (("wire", wire), ("crash", tokens)):
        if name in run.suites:
            service = service or Keyed(bench.service, run.vault)
            with run.report.suite(suite.NAME):
                suite.run(run.report, service, instance, bench.fleet, run.vault)
