"""The machine code of a CUDA module: what each kernel holds, read by cuobjdump of the extra `dev`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

NAMES = (
    "update", "lanes_gradient", "tile_gradient", "split_gradient", "finish", "lanes_epoch", "tile_epoch", "survey",
    "stream_gradient", "sparse_check", "sparse_measure", "sparse_describe", "sparse_products", "sparse_slopes",
    "sparse_total", "sparse_scatter", "sparse_settle", "order_count", "order_offsets", "order_write", "lanes_product",
    "tile_product", "long_slopes", "long_sums", "chunk_sums", "column_shifts", "column_moments", "column_totals",
    "gather_rows", "row_scores", "score_predictions", "softmax_gradient", "softmax_finish",
)  # fmt: skip
KERNEL = re.compile(rf"\d+({'|'.join(NAMES)})[IE]")
INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)")
USAGE = re.compile(r"\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")


class Kernel(NamedTuple):
    """A kernel as compiled for one architecture; `symbol` is its mangled name."""

    architecture: str
    symbol: str

    @property
    def name(self):
        found = KERNEL.search(self.symbol)
        return found[1] if found else self.symbol

    def __str__(self):
        return f"{self.symbol} (sm_{self.architecture})"


class Usage(NamedTuple):
    """What a thread of a kernel takes: registers, and bytes."""

    registers: int
    stack: int
    shared: int
    local: int


def cuobjdump():
    """The path of cuobjdump, from its package or on the PATH; None without it or nvdisasm, which it runs."""
    try:
        files = metadata.files("nvidia-cuda-cuobjdump") or []
    except metadata.PackageNotFoundError:
        files = []
    path = next((str(f.locate()) for f in files if f.name == "cuobjdump"), shutil.which("cuobjdump"))
    return path if path and (Path(path).with_name("nvdisasm").exists() or shutil.which("nvdisasm")) else None


def _lines(*arguments):
    command = [cuobjdump(), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield from process.stdout
    assert process.returncode == 0, f"{' '.join(command)} failed"


def instructions(path):
    """For each kernel of a module or cubin, how often each instruction occurs in it."""
    kernels, architecture, counts = {}, "", Counter()
    for line in _lines("-sass", path):
        if found := INSTRUCTION.match(line):
            counts[found[1]] += 1
        elif "code for sm_" in line:
            architecture = line.split("sm_")[1].strip()
        elif "Function : " in line:
            counts = kernels.setdefault(Kernel(architecture, line.split(" : ")[1].strip()), Counter())
    return kernels


def usage(path):
    """For each kernel of a module or cubin, its Usage."""
    kernels, architecture, kernel = {}, "", None
    for line in _lines("-res-usage", path):
        if line.startswith("arch = sm_"):
            architecture = line.split("sm_")[1].strip()
        elif line.startswith(" Function "):
            kernel = Kernel(architecture, line.removeprefix(" Function ").strip().rstrip(":"))
        elif found := USAGE.match(line):
            kernels[kernel] = Usage(*map(int, found.groups()))
    return kernels
