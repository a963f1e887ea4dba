"""Computes a table of digests: each ISA level in processes of its own, which this file starts and is run by."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .tables import Case, Table

SCRIPT = Path(__file__).resolve().parents[1] / "compare_builds.py"
PARTS = ("objectives", "runs", "models")
DEVICE = "device"  # a part of its own, at one level only


def cases_of(part: str, quick: bool) -> Iterator[Case]:
    """Yield the cases of one part; only here, in the process of a level, is steepest imported."""
    from . import device_cases, model_cases, objective_cases, run_cases

    sources: dict[str, list[Callable[[bool], Iterator[Case]]]] = {
        "objectives": [objective_cases.objective_cases, objective_cases.special_cases],
        "runs": [
            run_cases.step_cases,
            run_cases.descent_cases,
            run_cases.option_cases,
            run_cases.quasi_newton_cases,
            run_cases.function_cases,
        ],
        "models": [model_cases.estimator_cases, model_cases.statistics_cases, model_cases.analysis_cases],
        DEVICE: [device_cases.device_cases],
    }
    for source in sources[part]:
        yield from source(quick)


def compute(options: argparse.Namespace) -> None:
    """Compute one part at the level that the environment names, and write its table."""
    import numpy

    import steepest as st

    if options.emulated:
        from .device_cases import use_emulated

        use_emulated(options.emulated)
    about = {"python": platform.python_version(), "numpy": numpy.__version__, "steepest": str(Path(st.__file__).parent)}
    patterns = options.only or ["*"]
    cases = (
        case
        for case in cases_of(options.part, options.quick)
        if any(fnmatch.fnmatchcase(case[0], f"*{pattern}*") for pattern in patterns)
    )
    Table.of(about, cases, options.arrays).write(options.out)


def supported_levels() -> list[str]:
    """Return the ISA levels that this machine and build have."""
    code = "import json, steepest as st; print(json.dumps(st.info()['isa_supported']))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return list(json.loads(done.stdout))


def table_of(options: argparse.Namespace, threads: int) -> Table:
    """Return the whole table, computed on so many threads; one process a level and part, as many at a time as cores."""
    levels = options.levels or supported_levels()
    jobs = [(level, part) for part in PARTS for level in levels]
    if options.emulated:
        jobs.append((levels[-1], DEVICE))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        files = [Path(folder) / f"{level}-{part}.json" for level, part in jobs]
        todo = [(level, part, out, threads, options) for (level, part), out in zip(jobs, files, strict=True)]
        for process in pool.map(lambda job: _start(*job), todo):
            process.check_returncode()
        whole = Table(_about(threads), {}, {})
        for (level, _), out in zip(jobs, files, strict=True):
            found = Table.read(out).prefixed(level)
            whole.about.update(found.about)
            whole.cases.update(found.cases)
            whole.arrays.update(found.arrays)
    return whole


def _about(threads: int) -> dict[str, Any]:
    return {"machine": platform.machine(), "system": platform.platform(), "threads": threads}


def _start(
    level: str, part: str, out: Path, threads: int, options: argparse.Namespace
) -> subprocess.CompletedProcess[bytes]:
    """Run one part at one level; LAPACK, which some cases use, has one thread always."""
    command: Sequence[str | Path] = [
        *(sys.executable, SCRIPT, "part", part, out),
        *(["--quick"] if options.quick else []),
        *(["--arrays"] if options.arrays else []),
        *(argument for pattern in options.only or [] for argument in ("--only", pattern)),
        *(["--emulated", options.emulated] if options.emulated and part == DEVICE else []),
    ]
    blas = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    environment = os.environ | {"STEEPEST_ISA": level, "STEEPEST_NUM_THREADS": str(threads)} | blas
    return subprocess.run(command, env=environment, check=False)
