#!/usr/bin/env bash
# Prints the tables of docs/performance.md: instruction counts by callgrind, then everything
# that is measured against an anchor in the same run. `--quick` for a look.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"

cargo build --release -p claviger
# The bench keeps its symbols: callgrind wants them.
cargo build --profile bench -p claviger-bench
bench="$target/release/claviger-bench"

if ! command -v redis-server >/dev/null; then
  echo "redis-server is not installed: apt-get install redis-server" >&2
  exit 1
fi

counted() { # WHAT COUNT -> instructions
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" icount "$1" "$2" 2>&1 |
    awk '/Collected/ { print $NF }'
}

if command -v valgrind >/dev/null; then
  echo "| work | instructions |"
  echo "|---|---|"
  for what in open verify decode; do
    few=$(counted "$what" 100)
    many=$(counted "$what" 1100)
    case $what in
      open) name="reading an ACS3 request" ;;
      verify) name="the same, and verifying its signature" ;;
      decode) name="the same, and decoding CreateAccount" ;;
    esac
    echo "| $name | $(((many - few) / 1000)) |"
  done
else
  echo "SKIPPED instruction counts: valgrind is not installed (apt-get install valgrind)" >&2
fi
echo
"$bench" all --claviger "$target/release/claviger" "$@"
