#!/usr/bin/env bash
# Runs fuzz targets, each for so many seconds: fuzz.sh SECONDS all|TARGET... Prints the table of
# fuzz/README.md. Inputs that reach something new are kept in the build directory; those of the
# repository (fuzz/corpus) are where it begins.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"
shift || true
work="${CARGO_TARGET_DIR:-$PWD/target}/fuzz"
# Sanitizers are not stable yet.
export RUSTC_BOOTSTRAP=1

if ! command -v cargo-fuzz >/dev/null; then
  echo "cargo-fuzz is not installed: cargo install cargo-fuzz --locked" >&2
  exit 1
fi

targets=("$@")
if [ "${#targets[@]}" -eq 0 ] || [ "${targets[0]}" = all ]; then
  mapfile -t targets < <(cargo fuzz list)
fi

# Whole requests are kept once, as the golden files of the dialects' tests.
golden="$work/corpus/golden"
mkdir -p "$golden"
for file in crates/dialects/tests/golden/*/*.http; do
  tr -d '\r' <"$file" >"$golden/$(basename "$(dirname "$file")")-$(basename "$file")"
done

status=0
rows=()
for target in "${targets[@]}"; do
  found="$work/corpus/$target"
  mkdir -p "$found"
  seeds=("$found")
  [ -d "fuzz/corpus/$target" ] && seeds+=("fuzz/corpus/$target")
  [ "$target" = dialects ] && seeds+=("$golden")
  log="$work/$target.log"
  outcome=none
  if ! cargo fuzz run --target-dir "$work" "$target" "${seeds[@]}" -- \
    "-max_total_time=$seconds" -print_final_stats=1 -timeout=10 -rss_limit_mb=2048 \
    -max_len=8192 >"$log" 2>&1; then
    outcome="see $log"
    status=1
  fi
  stat() { awk -v name="stat::$1:" '$1 == name { print $2 }' "$log"; }
  cover=$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -d' ' -f2)
  rows+=("| $target | $seconds | $(stat number_of_executed_units) | ${cover:--} | $outcome |")
done
echo "| target | seconds | executions | edges reached | findings |"
echo "|---|---|---|---|---|"
printf '%s\n' "${rows[@]}"
exit "$status"
