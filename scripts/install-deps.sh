#!/usr/bin/env bash
# What the tests and the demo need beside Rust: a Redis server, PostgreSQL, Python with venv, Node with npm,
# openssl and a C compiler. As root on Debian or Ubuntu what is missing is installed; elsewhere
# this says exactly what to install, and fails.
set -euo pipefail

missing=()
need() { # PACKAGE TEST...
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

if ! command -v cargo >/dev/null; then
  echo "cargo is missing: install Rust with rustup; rust-toolchain.toml names the version" >&2
  exit 1
fi
need build-essential command -v cc
if ! command -v redis-server >/dev/null; then
  need redis-server command -v valkey-server
fi
# The server's programs are not on PATH in Debian's package.
postgres() { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; }
need postgresql postgres
need python3 command -v python3
need python3-venv python3 -c 'import ensurepip, venv'
need nodejs command -v node
need npm command -v npm
need openssl command -v openssl

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
    case " ${missing[*]} " in
      *" postgresql "*)
        # Likewise on port 5432.
        service postgresql stop >/dev/null 2>&1 || true
        systemctl disable postgresql >/dev/null 2>&1 || true
        ;;
    esac
    case " ${missing[*]} " in
      *" redis-server "*)
        # The package starts a server of its own on port 6379; the tests start theirs.
        service redis-server stop >/dev/null 2>&1 || true
        systemctl disable redis-server >/dev/null 2>&1 || true
        ;;
    esac
  else
    echo "missing: ${missing[*]}" >&2
    echo "install them, on Debian or Ubuntu with:" >&2
    echo "  sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "python3 is $(python3 --version 2>&1 | cut -d' ' -f2), and the tests need 3.11 or newer" >&2
  exit 1
fi
