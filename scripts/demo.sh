#!/usr/bin/env bash
# Installs Alibaba Cloud's Python SDK beside the conformance run's and starts the demo with it;
# the demo installs the other clouds' SDKs by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(PYTHONDONTWRITEBYTECODE=1 python3 conformance/install.py current)
exec env PYTHONDONTWRITEBYTECODE=1 "$python" scripts/demo.py "$@" </dev/null
