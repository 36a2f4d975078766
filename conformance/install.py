#!/usr/bin/env python3
"""Installs the Python SDKs of one generation and prints the path of their interpreter."""

import sys

from harness.clients import Unavailable, python_environment

if __name__ == "__main__":
    try:
        print(python_environment(sys.argv[1] if len(sys.argv) > 1 else "current"))
    except Unavailable as reason:
        sys.exit(f"the vendor's Python SDK cannot be installed: {reason}")
