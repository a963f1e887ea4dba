"""Builds the module `_cuda_emulated`, the CUDA backend over the emulator, and says where it lies.

`python tests/emulation/build.py [--sanitize] [folder]`
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def _tool(name: str) -> str:
    """A program that stands beside this Python, or on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes, such as the workers of pytest, from building in the folder at the same time."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_built() -> bool:
    """Return whether `build` finds a module, which it may bring up to date."""
    return bool(os.environ.get("STEEPEST_EMULATED_DIR")) or any((ROOT / "build" / "emulated").glob("_cuda_emulated*"))


def build(folder: Path | None = None, *, sanitize: bool = False) -> Path:
    """Build what changed and return the folder of the module; one in STEEPEST_EMULATED_DIR is taken as it is."""
    given = os.environ.get("STEEPEST_EMULATED_DIR")
    if given:
        return Path(given)
    import pybind11

    folder = folder or ROOT / "build" / ("emulated-sanitized" if sanitize else "emulated")
    with alone(folder):
        cmake = _tool("cmake")
        if not (folder / "build.ninja").exists():
            _run(cmake, "-S", str(HERE), "-B", str(folder), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={_tool('ninja')}",
                 f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
                 f"-DSTEEPEST_SANITIZE={'ON' if sanitize else 'OFF'}")  # fmt: skip
        _run(cmake, "--build", str(folder))
    return folder


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:] if argument != "--sanitize"]
    print(build(*folders, sanitize="--sanitize" in sys.argv[1:]))
