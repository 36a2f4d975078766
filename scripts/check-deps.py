#!/usr/bin/env python3
"""Checks the dependencies without a network: sources, licences, duplicates, import rules.

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


def check(data, deny):
    """Everything that is wrong, as lines."""
    ours = set(data["workspace_members"])
    allowed = set(deny["licenses"]["allow"])
    for row in deny["licenses"].get("exceptions", []):
        allowed_by_name[row.get("crate") or row.get("name")] |= set(row["allow"])
    explained = {
        re.split("[@:]", row["crate"] if isinstance(row, dict) and "crate" in row
                 else row["name"] if isinstance(row, dict) else row)[0]
        for row in deny["bans"].get("skip", [])
    }
    banned = {row["name"] if "name" in row else row["crate"] for row in deny["bans"].get("deny", [])}
    versions = defaultdict(set)
    for package in data["packages"]:
        name = package["name"]
        if package["id"] in ours:
            yield from imports(package)
            continue
        versions[name].add(package["version"])
        if package["source"] != "registry+https://github.com/rust-lang/crates.io-index":
            yield f"{name} comes from {package['source']}, not from crates.io"
        text = package["license"] or ""
        if not text or not permitted(text, allowed | allowed_by_name[name]):
            yield f"{name} has the licence {text!r}, which deny.toml does not allow"
        if name in banned:
            yield f"{name} is banned by deny.toml"
    for name, found in sorted(versions.items()):
        if len(found) > 1 and name not in explained:
            yield f"{name} is there as {', '.join(sorted(found))}, and deny.toml does not say why"


allowed_by_name = defaultdict(set)


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
    data = metadata()
    wrong = list(check(data, deny))
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(data['packages'])} packages checked, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
