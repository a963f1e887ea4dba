"""Finds out whether this Python can build the package: `python tools/build_requirements.py FOLDER`.

pip does not look when it builds without isolation. What pyproject.toml asks for and is missing or too old is installed
into the folder, which is to be on the build's PYTHONPATH. If that fails, as without a network, this prints what is
missing and exits with 1.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

try:
    from packaging.requirements import Requirement
except ImportError:  # pip has a copy
    from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
SECONDS = 30


def required() -> list[str]:
    """Return what a build needs, by pyproject.toml."""
    return list(tomllib.loads(PYPROJECT.read_text())["build-system"]["requires"])


def missing(requirements: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the requirements that are not met here or in the folder, and what there is in their place."""
    found = {}
    for text in requirements:
        requirement = Requirement(text)
        paths = [str(folder), *sys.path]
        version = next((each.version for each in metadata.distributions(name=requirement.name, path=paths)), None)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found[text] = version or "none"
    return found


def install(requirements: Sequence[str], folder: Path) -> None:
    """Let pip try to install the requirements into the folder."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--retries", "0", "--timeout", "5", "--upgrade"]
    try:
        subprocess.run([*command, "--target", folder, *requirements], check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        print(f"pip took more than {SECONDS} s", file=sys.stderr)


def main(arguments: Sequence[str]) -> int:
    """Return 0 if a build has all that it needs, else 1."""
    folder = Path(arguments[0])
    if lacking := missing(required(), folder):
        install(list(lacking), folder)
    if lacking := missing(required(), folder):
        names = ", ".join(f"{text} (there is {version})" for text, version in lacking.items())
        print(
            f"A build needs {names}, and pip could not install it. Install it for {sys.executable}, or give "
            "tools/gpu_first.sh a wheel with the CUDA module: --wheel FILE.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
