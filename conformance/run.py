#!/usr/bin/env python3
"""Drives the clouds' official clients against a running claviger over real servers.

    conformance/run.py                 the Python and Node clients, the wire, TLS, kill -9, secrets
    conformance/run.py --all           the Go and Java clients and the aliyun command too
    conformance/run.py --store postgres    every service on PostgreSQL
    conformance/run.py --store both        all of it, and the Python and Node clients on PostgreSQL
    conformance/run.py --clients python-new,node-old-post --suites lifecycle

The last line is "N passed, N failed, N skipped"; the exit code is 0 if nothing failed.
"""

import argparse
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from harness import clients, clouds, crash, leaks, matrix, nodes, postgres, repair, temporary, wire
from harness.lifecycle import Lifecycle
from harness.report import Report
from harness.service import Service
from harness.tls import Tls

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = "r-conformance01"
SUITES = ("lifecycle", "wire", "matrix", "temporary", "crash", "repair", "secrets", "tls", "engines")
# The clients that take a private CA by their own means, one of each generation and language.
TLS_CLIENTS = ("python-old", "python-new", "node-new", "node-old-get",
               *(name for cloud in clouds.CLOUDS.values() for name in cloud.TLS_CLIENTS))
# One client of each cloud: on every further server, and in a short run.
FEW_CLIENTS = ("python-new", *(cloud.ENGINE_CLIENT for cloud in clouds.CLOUDS.values()))


def every_client():
    return clients.all_clients() + clouds.all_clients()


def arguments():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("CLAVIGER_BIN")
                        or str(target / "debug/claviger"), help="the claviger to test")
    parser.add_argument("--all", action="store_true", help="Go, Java and the aliyun command too")
    parser.add_argument("--clients", help="only these, by name, separated by commas")
    parser.add_argument("--few", action="store_true", help="only one client of each cloud")
    parser.add_argument("--suites", default=",".join(SUITES), help="only these")
    parser.add_argument("--engine", help="only this server: a path, or a name under .engines/")
    parser.add_argument("--store", choices=("sqlite", "postgres", "both"), default="sqlite",
                        help="the store of every service; both: one run after the other")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory")
    parser.add_argument("--list", action="store_true", help="list clients, suites and servers")
    return parser.parse_args()


def chosen_clients(options):
    every = every_client()
    if options.few:
        return [c for c in every if c.name in FEW_CLIENTS]
    if not options.clients:
        return [c for c in every if options.all or not c.heavy]
    wanted = options.clients.split(",")
    unknown = set(wanted) - {c.name for c in every}
    if unknown:
        sys.exit(f"unknown clients: {', '.join(sorted(unknown))}")
    return [c for c in every if c.name in wanted]


def prepared(report, wanted):
    """Those that could be installed; the others are skipped by name."""
    ready = []
    for client in wanted:
        try:
            client.prepare()
            ready.append(client)
        except clients.Unavailable as reason:
            report.skip(client.name, str(reason))
    return ready


def chosen_engines(options):
    found = nodes.engines(ROOT)
    if options.engine:
        path = found.get(options.engine, options.engine)
        if not os.access(path, os.X_OK):
            sys.exit(f"{options.engine} is neither a server binary nor one of {', '.join(found)}")
        found = {options.engine: path}
    if not found:
        sys.exit("no redis-server or valkey-server on PATH: run scripts/install-deps.sh, or "
                 "install the package redis-server")
    return found


def runs(options):
    """What to run: on both stores, the second time without what says nothing of the store."""
    if options.store != "both":
        return [options]
    shared = argparse.Namespace(**vars(options))
    options.store, shared.store = "sqlite", "postgres"
    shared.all = False
    shared.suites = ",".join(s for s in options.suites.split(",") if s != "engines")
    return [options, shared]


class Bench:
    """Servers, the service over them and the instance: made for one group of suites."""

    def __init__(self, directory, options, vault, binary, tls=None, database=None):
        self.fleet = nodes.Fleet(binary, Path(directory) / "nodes")
        self.service = Service(options.binary, Path(directory) / "service",
                               "LTAI5tConformanceRoot", secrets.token_urlsafe(24), tls)
        if database:
            self.service.store, self.service.shared = database.database(), database
        vault.update((self.service.secret_key, self.fleet.secrets["node"]))

    def __enter__(self):
        self.fleet.__enter__()
        try:
            self.service.start()
            self.service.add_instance(INSTANCE, self.fleet)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.service.stop()
        self.fleet.stop()


class Run:
    """The suites of one invocation."""

    def __init__(self, options, report, directory):
        self.options, self.report, self.directory = options, report, directory
        self.vault = set()
        self.suites = options.suites.split(",")
        self.ready = prepared(report, chosen_clients(options))
        self.engines = chosen_engines(options)
        self.database = None
        if options.store == "postgres":
            self.database = postgres.Postgres(directory / "postgres")

    def lifecycle(self, bench, client, name=None):
        cloud = clouds.CLOUDS.get(client.cloud)
        walk = cloud.walk if cloud else Lifecycle
        with self.report.suite(name or client.name):
            walk(self.report, client, bench.service, INSTANCE, bench.fleet, self.vault).run(
                self.directory / f"{client.name}.log")

    def main_group(self):
        """Everything that shares one service, and the look for secrets after it."""
        watch = leaks.ProcessWatch()
        first = next(iter(self.engines.values()))
        bench = Bench(self.directory / "main", self.options, self.vault, first,
                      database=self.database)
        with self.report.suite("start"), bench:
            self.report.check("start", f"claviger serves a primary and a replica of "
                              f"{bench.fleet.engine}", True)
            if "lifecycle" in self.suites:
                for client in self.ready:
                    self.lifecycle(bench, client)
            if "wire" in self.suites:
                with self.report.suite("wire"):
                    self.wire(bench)
            for cloud in clouds.CLOUDS.values():
                cloud.suites(self, bench, INSTANCE)
            if "matrix" in self.suites:
                with self.report.suite("matrix"):
                    matrix.run(self.report, bench.service, INSTANCE, bench.fleet, self.directory,
                               self.vault)
            if "temporary" in self.suites:
                with self.report.suite("temporary"):
                    temporary.run(self.report, bench.service, INSTANCE, bench.fleet,
                                  self.directory, self.vault)
            if "crash" in self.suites:
                with self.report.suite("kill -9"):
                    crash.run(self.report, bench.service, INSTANCE, bench.fleet, self.vault)
            if "repair" in self.suites:
                with self.report.suite("repair"):
                    repair.run(self.report, bench.service, INSTANCE, bench.fleet, self.vault)
            status, metrics = bench.service.get("/metrics")
            self.report.equal("start", "/metrics answers", status, 200)
            self.report.equal("start", "SIGTERM ends the service with 0", bench.service.stop(), 0)
            if "secrets" in self.suites:
                with self.report.suite("secrets"):
                    leaks.run(self.report, bench.service, self.vault, watch.stop(), metrics)

    def wire(self, bench):
        ours = [c for c in self.ready if c.cloud == "aliyun"]
        replayer = next((c for c in ours if c.name == "python-old"), ours[0] if ours else None)
        if not replayer:
            self.report.skip("wire: replays", "no client to record")
        wire.run(self.report, bench.service, INSTANCE, bench.fleet, replayer,
                 self.directory / "replay.log", self.vault)

    def tls_group(self):
        wanted = [c for c in self.ready if c.name in TLS_CLIENTS]
        with self.report.suite("tls"):
            tls = Tls(self.directory / "pki")
            first = next(iter(self.engines.values()))
            with Bench(self.directory / "tls", self.options, self.vault, first, tls,
                       self.database) as bench:
                for client in wanted:
                    client.ca = str(tls.ca)
                    client.name += " over TLS"
                    self.lifecycle(bench, client)
                    client.name = client.name.removesuffix(" over TLS")
                    client.ca = None

    def engine_groups(self):
        """The life cycle on every further server, by one client of each cloud."""
        chosen = [c for c in self.ready if c.name in FEW_CLIENTS] or self.ready[:1]
        more = list(self.engines.items())[1:]
        if not more and not self.options.engine:
            self.report.skip("further servers", "none under .engines/ (make engines gets them)")
        for name, binary in more if chosen else []:
            with self.report.suite(f"engine {name}"):
                place = self.directory / f"engine-{name}"
                with Bench(place, self.options, self.vault, binary,
                           database=self.database) as bench:
                    for client in chosen:
                        title, client.name = client.name, f"{client.name} on {bench.fleet.engine}"
                        try:
                            self.lifecycle(bench, client)
                        finally:
                            client.name = title

    def run(self):
        try:
            self.main_group()
            if "tls" in self.suites:
                self.tls_group()
            if "engines" in self.suites:
                self.engine_groups()
        finally:
            if self.database:
                self.database.stop()


def main():
    options = arguments()
    if options.list:
        print("clients:", *(c.name for c in every_client()))
        print("suites:", *SUITES)
        print("servers:", *nodes.engines(ROOT))
        return 0
    if not os.access(options.binary, os.X_OK):
        sys.exit(f"{options.binary} is not there: run `cargo build -p claviger`")
    report, both = Report(), options.store == "both"
    for one in runs(options):
        directory = Path(tempfile.mkdtemp(prefix="claviger-conformance-"))
        try:
            with report.on(one.store if both else None):
                Run(one, report, directory).run()
        except postgres.Missing as reason:
            report.skip("everything on PostgreSQL", str(reason))
        finally:
            if options.keep:
                print(f"kept {directory}")
            else:
                shutil.rmtree(directory, ignore_errors=True)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
