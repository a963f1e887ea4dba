"""Lint, format and type-check everything with the tools of the extra `dev`; `--fix` mends what they can mend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
SOURCES = [str(p) for p in sorted(ROOT.glob("[ct]*/**/*")) if p.suffix in (".cpp", ".hpp", ".h", ".cu", ".cuh")]


def run(tool: str, *arguments: str) -> bool:
    """Run a tool that stands beside this Python and return whether it was content."""
    print("+", tool, *arguments[:2], flush=True)
    return subprocess.run([TOOLS / tool, *arguments], cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Run every tool, whatever the one before it found."""
    if sys.argv[1:] not in ([], ["--fix"]):
        print("usage: python tools/lint.py [--fix]", file=sys.stderr)
        return 2
    fix = bool(sys.argv[1:])
    content = [
        run("ruff", "check", *["--fix"] * fix, "."),
        run("ruff", "format", *["--check"] * (not fix), "."),
        run("clang-format", *(["-i"] if fix else ["--dry-run", "-Werror"]), *SOURCES),
        run("mypy"),
    ]
    return 0 if all(content) else 1


if __name__ == "__main__":
    sys.exit(main())
