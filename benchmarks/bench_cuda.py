"""The CUDA kernels against CuPy, torch and cuML on a GPU, beside what gpu_model.py predicts for an H100."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gpu_cases
import gpu_model
import gpu_updates
import harness
import steepest as st
from gpu_arrays import OwnArrays, library, usable
from gpu_cases import Bench, Row
from gpu_model import ROW_OPERATIONS
from gpu_tables import SHAPES, STEPS
from steepest.arrays import device

QUICK_SHAPES, QUICK_STEPS = [(257, 9), (64, 33)], [(32, 9)]
NO_DEVICE = 2  # the exit code
Case = tuple[str, Callable[[Bench, str], Row | None]]


def cases(options: argparse.Namespace, small: bool) -> Iterator[Case]:
    """List the selected cases: label, and what checks and times it."""
    every: list[Case] = []
    for n, d in QUICK_SHAPES if small else SHAPES:
        for storage in gpu_cases.STORAGES:
            for loss in ROW_OPERATIONS:
                run = partial(gpu_cases.gradient, loss=loss, storage=storage, n=n, d=d)
                every.append((f"gradient/{loss}/{storage}/{n}x{d}", run))
    for batch, d in QUICK_STEPS if small else STEPS:
        every.append((f"step/{batch}x{d}", partial(gpu_cases.step, batch=batch, d=d)))
    for rule, dtype, n in gpu_updates.cases(small):
        every.append((f"update/{rule}/{dtype}/{n}", partial(gpu_updates.update, name=rule, dtype=dtype, n=n)))
    every += [(f"fit/{loss}", partial(gpu_cases.fit, loss=loss)) for loss in ROW_OPERATIONS]
    return (case for case in every if harness.selected(options, case[0]))


COLUMNS: dict[str, Callable[[Any], str]] = {
    "case": str,
    "ours": harness.seconds,
    "GB/s": "{:.0f}".format,
    "predicted": str,
    "of predicted": "{:.2f}".format,
    **dict.fromkeys(("cupy", "torch", "cuml"), harness.seconds),
    **dict.fromkeys(("x cupy", "x torch", "x cuml"), "{:.2f}".format),
    **dict.fromkeys(("value", "cuml value"), "{:.6f}".format),
    "inputs": "{:d}".format,
    "error": "{:.0e}".format,
}


def facts(bench: Bench) -> dict[str, str]:
    """Describe the machine, its GPU, the peers and what the predictions are for."""
    peers = {"cupy": usable("cupy"), "torch": bench.torch, "cuml": bench.cuml}
    found = {name: getattr(module, "__version__", "missing: not compared") for name, module in peers.items()}
    about = {"arrays": bench.arrays.name, "predictions": f"for an {gpu_model.H100.name}, whatever GPU this is"}
    return harness.describe() | found | about


def check_all(bench: Bench) -> int:
    """Check every kind of case that is selected, at tiny sizes; return how many there were."""
    bench.tiny = True
    kinds = {label.split("/")[0] for label, _ in cases(bench.options, bench.options.quick)}
    everything = argparse.Namespace(only=None)
    tiny = [(label, run) for label, run in cases(everything, True) if label.split("/")[0] in kinds]
    for label, run in tiny:
        run(bench, label)
    bench.tiny = False
    return len(tiny)


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Check at tiny sizes; then check and time every selected case at its own."""
    bench = Bench(options, library(), usable("torch"), harness.peer("cuml"))
    check_all(bench)
    table = harness.Table("CUDA", facts(bench), COLUMNS)
    for label, run in cases(options, options.quick):
        table.add({"case": label, **(run(bench, label) or {})})
    return table


def emulated(folder: Path, options: argparse.Namespace) -> int:
    """Run the checks alone, on the emulated module in `folder`."""
    sys.path.insert(0, str(folder))
    with device.use(importlib.import_module("_cuda_emulated")):
        try:
            n = check_all(Bench(options, OwnArrays(), None, None))
        except harness.WrongAnswer as error:
            print(f"answer check failed: {error}", file=sys.stderr)
            return 1
    print(f"emulated: {n} cases agree with NumPy; nothing was timed")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(
        __doc__ or "", "gradient/LOSS/STORAGE/ROWSxCOLUMNS, step/BATCHxCOLUMNS, update/RULE/DTYPE/N, fit/LOSS"
    )
    parser.add_argument("--emulated", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.emulated is not None:
        return emulated(options.emulated, options)
    status = str(dict(st.info())["cuda"])
    if status.startswith("not available"):
        print(f"no GPU to measure: {status}", file=sys.stderr)
        return NO_DEVICE
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())
