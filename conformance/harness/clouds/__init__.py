"""What each further cloud brings: its clients, and the walk that each of them takes.

A cloud's module has `all_clients()`, `walk(...)` for one client's life cycle, `suites(run, bench,
instance)` for what else it wants to see on the servers of the main group, TLS_CLIENTS and
ENGINE_CLIENT, and `Adapter`, what harness/matrix.py drives it by.
"""

from . import huawei, tencent, volcengine

CLOUDS = {"tencent": tencent, "volcengine": volcengine, "huawei": huawei}


def all_clients():
    """The clients of all of them, in the order in which they run."""
    return [client for cloud in CLOUDS.values() for client in cloud.all_clients()]
