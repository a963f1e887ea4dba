"""Fetch a CUDA compiler from PyPI and print its path: `CUDACXX=$(python tools/cuda_toolkit.py) pip install .`.

It is put into build/, or the folder given, and fetched once. The set is pinned, for its parts must fit one another.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VERSION = "13.0.2"
PARTS = "nvcc,crt,nvvm,cudart,cccl"
BUILD = Path(__file__).resolve().parents[1] / "build"


def main() -> int:
    """Install what is not there yet; standard output is the path alone."""
    if len(sys.argv) > 2:
        print("usage: python tools/cuda_toolkit.py [folder]", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1] if sys.argv[1:] else BUILD).resolve() / f"cuda-toolkit-{VERSION}"
    root = folder / "nvidia" / f"cu{VERSION.split('.')[0]}"
    libraries = root / "lib64"  # where nvcc looks for what the wheels put into lib
    if not libraries.exists():
        package = f"cuda-toolkit[{PARTS}]=={VERSION}"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(folder), package]
        code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        if code:
            return code
        libraries.symlink_to("lib")
    print(root / "bin" / "nvcc")
    return 0


if __name__ == "__main__":
    sys.exit(main())
