"""Runs code in a fresh interpreter: what may crash, fork, be interrupted, or depends on the environment."""

from __future__ import annotations

import os
import subprocess
import sys

SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")  # then all is slow and memory is not what it was


def python(code, *arguments, timeout=200, **environment):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)
