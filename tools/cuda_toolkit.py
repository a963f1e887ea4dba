"""Fetch a CUDA compiler from PyPI into build/ and print its path: `CUDACXX=$(python tools/cuda_toolkit.py) pip install .`.

The whole set is pinned, for its parts must fit one another; see NVIDIA's licence for what may be done with them. Linux.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VERSION = "13.0.2"
PARTS = "nvcc,crt,nvvm,cudart,cccl"
FOLDER = Path(__file__).resolve().parents[1] / "build" / f"cuda-toolkit-{VERSION}"


def main() -> int:
    """Install what is not there yet; standard output is the path alone."""
    root = FOLDER / "nvidia" / f"cu{VERSION.split('.')[0]}"
    libraries = root / "lib64"  # where nvcc looks for what the wheels put into lib
    if not libraries.exists():
        package = f"cuda-toolkit[{PARTS}]=={VERSION}"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(FOLDER), package]
        code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        if code:
            return code
        libraries.symlink_to("lib")
    print(root / "bin" / "nvcc")
    return 0


if __name__ == "__main__":
    sys.exit(main())
