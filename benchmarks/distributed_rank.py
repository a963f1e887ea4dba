"""What bench_distributed runs on every rank of MPI: times of a step, of its compute, and of NumPy with Allreduce."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI

import harness
import steepest as st
from distributed_problem import ALPHA, draw, expected, shared
from steepest.mpi import parts
from steepest.objectives.parts import Parts

TOLERANCE = 1e-4


def main(rows: int, columns: int, rounds: int) -> None:
    """Time the three in turn, and let rank 0 print medians over the rounds."""
    comm = MPI.COMM_WORLD
    with st.threads(1):
        own = []
        for start, stop in shared(rows, columns, comm.rank, comm.size):
            block = draw(start, stop, columns)
            own.append((np.ascontiguousarray(block[:, :columns]), np.ascontiguousarray(block[:, columns])))
        whole, w = st.Logistic(parts(own), alpha=ALPHA), np.full(columns + 1, 0.01, np.float32)
        gradient = whole.gradient(w)
        if comm.rank == 0:
            harness.check(f"mpi/{comm.size}", gradient, expected(rows, columns, w), TOLERANCE)
        alone = st.Logistic(Parts.of(own), alpha=ALPHA)

        def by_numpy() -> None:
            total = np.zeros(columns + 1)
            for X, y in own:
                slopes = 1 / (1 + np.exp(-(X @ w[:-1] + w[-1]))) - y
                total[:-1] += X.T @ slopes
                total[-1] += slopes.sum()
            comm.Allreduce(MPI.IN_PLACE, total)

        calls: dict[str, Callable[[], Any]] = {
            "step": lambda: whole.value_and_gradient(w),
            "compute": lambda: alone.value_and_gradient(w),
            "NumPy": by_numpy,
        }
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds + 1):
            for name, call in calls.items():
                comm.Barrier()
                start_time = time.perf_counter()
                call()
                seconds[name].append(comm.allreduce(time.perf_counter() - start_time, MPI.MAX))
    if comm.rank == 0:
        found: dict[str, Any] = {name: float(np.median(each[1:])) for name, each in seconds.items()}
        found["overhead"] = float(np.median(np.subtract(seconds["step"], seconds["compute"])[1:]))
        found["bits"] = hashlib.sha256(gradient.tobytes()).hexdigest()[:12]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
