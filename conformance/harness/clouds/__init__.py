"""What each further cloud brings: its clients, and the walk that each of them takes.

A cloud's module has `all_clients()`, `walk(...)` for one client's life cycle, and `suites(run,
bench)` for what else it wants to see on the servers of the main group.
"""

from . import tencent, volcengine

CLOUDS = {"tencent": tencent, "volcengine": volcengine}


def all_clients():
    """The clients of all of them, in the order in which they run."""
    return [client for cloud in CLOUDS.values() for client in cloud.all_clients()]
