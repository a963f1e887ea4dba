"""Gradients over parts on 1, 2 and 4 processes of MPI and Dask: what a step costs beyond its compute, and scaling."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from distributed_problem import ALPHA, draw, expected, shared

Array = NDArray[Any]
PROCESSES = (1, 2, 4)
SHAPES = ((2**20, 100), (2**14, 10_000))  # rows of each process (weak) or of all (strong), columns
TINY = (256, 100)  # whose compute is next to nothing: rows of each process
TOLERANCE = 1e-4  # of a float32 gradient, relative
FACTS = {
    "problem": f"logistic, float32, alpha {ALPHA:g}; one gradient a step; a thread for each process",
    "weak, strong": "the rows of each process, or of all processes together, are those of the shape",
    "compute": "MPI: the same pass over a rank's own parts alone, of the slowest rank",
    "overhead": "MPI: the step less that, the median of the rounds. Dask: a step over 256 rows a worker",
    "NumPy": "the same gradient by X @ w and X.T @ slopes, and one Allreduce of mpi4py, or Dask's arrays and sum",
    "bits": "a digest of the gradient: the same for any number of processes and either engine where rows are the same",
}


def digest(gradient: Array) -> str:
    """Return the first digits of a digest of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(gradient).tobytes()).hexdigest()[:12]


def mpi_case(processes: int, rows: int, columns: int, rounds: int) -> dict[str, Any]:
    """Run this script on so many ranks, and return what rank 0 prints."""
    launcher = shutil.which("mpirun") or str(Path(sys.executable).with_name("mpirun"))
    script = Path(__file__).with_name("distributed_rank.py")
    command = [launcher, "-n", str(processes), "--allow-run-as-root", "--oversubscribe", sys.executable, str(script)]
    found = subprocess.run(
        [*command, str(rows), str(columns), str(rounds)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    if found.returncode != 0:
        raise harness.WrongAnswer(f"mpi with {processes} ranks: {found.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(found.stdout.strip().splitlines()[-1])
    return result


def dask_case(processes: int, rows: int, columns: int, rounds: int) -> dict[str, Any]:
    """Time steps over a Dask cluster of processes on this machine."""
    da, distributed = harness.peer("dask.array"), harness.peer("distributed")
    from steepest.dask import parts

    settings = {"n_workers": processes, "threads_per_worker": 1, "dashboard_address": None, "processes": True}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster) as client:
        client.wait_for_workers(processes)
        blocks = [
            da.from_delayed(each, (stop - start, columns + 1), dtype=np.float32)
            for start, stop in shared(rows, columns, 0, 1)
            for each in [harness.peer("dask").delayed(draw, pure=False)(start, stop, columns)]
        ]
        table = da.concatenate(blocks).persist()
        distributed.wait(table)
        X, y = table[:, :columns].persist(), table[:, columns].persist()
        distributed.wait([X, y])
        data = parts(client, X, y)
        objective, w = st.Logistic(data, alpha=ALPHA), np.full(columns + 1, 0.01, np.float32)
        gradient = objective.gradient(w)
        harness.check(f"dask/{processes}", gradient, expected(rows, columns, w), TOLERANCE)

        def by_arrays() -> Any:
            slopes = 1 / (1 + da.exp(-(X @ w[:-1] + w[-1]))) - y
            return da.compute(X.T @ slopes, slopes.sum())

        calls = {"step": lambda: objective.value_and_gradient(w), "NumPy": by_arrays}
        seconds = {name: timed(call, rounds) for name, call in calls.items()}
        data.engine.close()
    return {"bits": digest(gradient), **seconds}


def timed(call: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of a call, after one that is not timed."""
    call()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def cases(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Run every selected case. The gradients of cases with the same rows must have the same bits."""
    bits: dict[tuple[int, int], str] = {}
    first: dict[tuple[str, str, int], float] = {}
    shapes = ((2**12, 20),) if options.quick else SHAPES
    engines = {"mpi": (mpi_case, "mpi4py"), "dask": (dask_case, "distributed")}
    for engine, (run, package) in engines.items():
        if harness.peer(package) is None:
            print(f"- {engine}: not run, missing: {package}")
            continue
        for kind in ("tiny", "strong", "weak"):
            for given, columns in (TINY,) if kind == "tiny" else shapes:
                for processes in options.processes:
                    label = f"{engine}/{kind}/{columns}/{processes}"
                    if not harness.selected(options, label):
                        continue
                    rows = given if kind == "strong" else given * processes
                    found = run(processes, rows, columns, 3 if options.quick else 100 if kind == "tiny" else 15)
                    same = bits.setdefault((rows, columns), found["bits"])
                    if same != found["bits"]:
                        raise harness.WrongAnswer(f"{label}: bits {found['bits']}, {same} before")
                    one = first.setdefault((engine, kind, columns), found["step"])
                    ideal = one / processes if kind == "strong" else one
                    if engine == "dask" and kind == "tiny":
                        found["overhead"] = found["step"]
                    yield {"case": label, "rows": rows, **found, "efficiency": ideal / found["step"]}


COLUMNS: dict[str, Callable[[Any], str]] = {
    "case": str,
    "rows": "{:,}".format,
    **dict.fromkeys(("step", "compute", "overhead", "NumPy"), harness.seconds),
    "efficiency": "{:.2f}".format,
    "bits": str,
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected case."""
    table = harness.Table("Distributed", harness.describe(("mpi4py", "distributed", "dask")) | FACTS, COLUMNS)
    for row in cases(options):
        table.add(row)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(__doc__ or "", "a case such as mpi/weak/100/2 or dask/tiny/100/2")
    parser.add_argument(
        "--processes", type=int, nargs="+", default=PROCESSES, metavar="N", help="numbers of processes (1 2 4)"
    )
    options = parser.parse_args(arguments)
    if min(options.processes) < 1:
        parser.error(f"--processes must be at least 1, got {min(options.processes)}")
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())
