#!/usr/bin/env python3
"""Checks the dependencies without cargo-deny: sources, licences, duplicates, import rules.

cargo-deny checks the first three too where it is installed; deny.toml is read here as well, so
that both agree. The import rules are those of ARCHITECTURE.md.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Which of our crates each one may use outside its tests. Imports point down only.
MAY_USE = {
    "claviger-core": set(),
    "claviger-dialects": {"claviger-core"},
    "claviger-store": {"claviger-core"},
    "claviger-fleet": {"claviger-core"},
    "claviger-service": {"claviger-core", "claviger-dialects"},
    "claviger-server": {"claviger-core", "claviger-dialects", "claviger-service"},
}
# The binary and what only tests and benches use may see everything.
FREE = {"claviger", "claviger-testkit", "claviger-bench"}


def metadata():
    done = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    if done.returncode:
        sys.exit(f"cargo metadata failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def built(targets):
    """`name version` of every package that is built for a target; the lock file has more."""
    rows = set()
    for target in targets:
        done = subprocess.run(
            ["cargo", "tree", "--workspace", "--locked", "--edges", "normal,build,dev",
             "--target", target, "--prefix", "none", "--format", "{p}"],
            cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )
        if done.returncode:
            sys.exit(f"cargo tree failed: {done.stderr.strip()[-500:]}")
        for line in done.stdout.splitlines():
            words = line.split()
            if len(words) > 1:
                rows.add((words[0], words[1].removeprefix("v")))
    return rows


def permitted(expression, allowed):
    """Whether an SPDX expression can be met from the allowed licences."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek():
        return words[position] if position < len(words) else None

    def either():
        nonlocal position
        good = both()
        while peek() == "OR":
            position += 1
            good = both() or good
        return good

    def both():
        nonlocal position
        good = one()
        while peek() == "AND":
            position += 1
            good = one() and good
        return good

    def one():
        nonlocal position
        word = words[position]
        position += 1
        if word == "(":
            good = either()
            position += 1
            return good
        if peek() == "WITH":
            word = f"{word} WITH {words[position + 1]}"
            position += 2
        return word in allowed

    return either()


def listed(rows):
    """The names in a list of deny.toml, whose rows are text or tables."""
    names = (row if isinstance(row, str) else row.get("crate") or row.get("name") for row in rows)
    return {re.split("[@:]", name)[0] for name in names}


def check(data, deny):
    """What is wrong, as (whether it fails the check, line)."""
    ours = set(data["workspace_members"])
    used = built(deny["graph"]["targets"])
    allowed = set(deny["licenses"]["allow"])
    banned = listed(deny["bans"].get("deny", []))
    explained = listed(deny["bans"].get("skip", []))
    versions = defaultdict(set)
    for package in data["packages"]:
        name, version = package["name"], package["version"]
        if package["id"] in ours:
            yield from ((True, line) for line in imports(package))
            continue
        if package["source"] != "registry+https://github.com/rust-lang/crates.io-index":
            yield True, f"{name} comes from {package['source']}, not from crates.io"
        if (name, version) not in used:
            continue
        versions[name].add(version)
        text = package["license"] or ""
        if not text or not permitted(text, allowed):
            yield True, f"{name} has the licence {text!r}, which deny.toml does not allow"
        if name in banned:
            yield True, f"{name} is banned by deny.toml"
    strict = deny["bans"].get("multiple-versions") == "deny"
    for name, found in sorted(versions.items()):
        if len(found) > 1 and name not in explained:
            yield strict, f"{name} is built as {', '.join(sorted(found))}"


def imports(package):
    """The edges between our own crates that ARCHITECTURE.md does not have."""
    name = package["name"]
    if name in FREE:
        return
    if name not in MAY_USE:
        yield f"{name} is a new crate: say in scripts/check-deps.py what it may use"
        return
    for dependency in package["dependencies"]:
        used = dependency["name"]
        if dependency["kind"] != "dev" and used.startswith("claviger"):
            if used not in MAY_USE[name]:
                yield f"{name} must not use {used}"


def main():
    deny = tomllib.loads((ROOT / "deny.toml").read_text())
    found = list(check(metadata(), deny))
    for fails, line in found:
        print(f"{'error' if fails else 'warning'}: {line}", file=sys.stderr)
    wrong = sum(fails for fails, _ in found)
    print(f"dependencies checked: {wrong} wrong, {len(found) - wrong} to look at")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
