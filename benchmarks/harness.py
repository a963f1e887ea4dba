"""What the benchmarks share: options, machine, answer checks, interleaved timing, peak memory, table and JSON."""

from __future__ import annotations

import argparse
import ctypes
import datetime
import fnmatch
import importlib
import json
import math
import os
import platform
import statistics
import sys
import time
import timeit
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import steepest as st

Call = Callable[[], object]
Timer = Callable[[], float]
ENVIRONMENT_PREFIXES = ("OPENBLAS_", "OMP_", "GOMP_", "MKL_", "STEEPEST_")


class WrongAnswer(Exception):
    """A contender's answer is not the reference's; its time must not be printed."""


def check(label: str, got: ArrayLike, expected: ArrayLike, tolerance: float, scale: float | None = None) -> float:
    """Compare `got` with `expected` in the Euclidean norm.

    Parameters
    ----------
    label : str
        What is compared; named in the error.
    got, expected : array_like
        Of the same shape.
    tolerance : float
        The largest relative error allowed.
    scale : float, optional
        What the error is relative to; the norm of `expected` when None.

    Returns
    -------
    float
        The relative error.

    Raises
    ------
    WrongAnswer
        If the shapes differ, or the error is not finite or above `tolerance`.
    """
    actual, right = np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if actual.shape != right.shape:
        raise WrongAnswer(f"{label}: expected shape {right.shape}, got {actual.shape}")
    error = float(np.linalg.norm(actual - right) / (scale or np.linalg.norm(right) or 1.0))
    if not error <= tolerance:
        raise WrongAnswer(f"{label}: relative error {error:.2e}, allowed {tolerance:.0e}")
    return error


def peer(name: str) -> Any:
    """Import a peer, or return None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
        return None


def cores() -> int:
    """Count the processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_choices() -> list[int]:
    """List the thread counts a peer is tried at: 1, 2 and all cores."""
    return sorted({1, min(2, cores()), cores()})


def arguments(description: str, labels: str) -> argparse.ArgumentParser:
    """Make a parser with the options of every benchmark; `labels` says what `--only` is matched against."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the table and the machine to this file")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that the script runs, measures nothing")
    parser.add_argument("--repeats", type=int, help="rounds the medians are taken over (default 7; 3 with --quick)")
    parser.add_argument("--only", action="append", metavar="PATTERN", help=f"run cases that match {labels}")
    return parser


def selected(options: argparse.Namespace, label: str) -> bool:
    """Tell whether `--only` lets the case `label` run."""
    return not options.only or any(fnmatch.fnmatchcase(label, f"*{pattern}*") for pattern in options.only)


@dataclass
class Times:
    """Seconds a call of each contender, round by round; the n-th entries were taken in the same round."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Median seconds of one contender."""
        return statistics.median(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> float:
        """Median over the rounds of the time of `slow` over that of `fast`."""
        return statistics.median(a / b for a, b in zip(self.seconds[slow], self.seconds[fast], strict=True))

    def best(self, prefix: str) -> str | None:
        """Name the contender with the lowest median among those whose name starts with `prefix`."""
        return min((name for name in self.seconds if name.startswith(prefix)), key=self.median, default=None)


def _loops(watch: timeit.Timer, enough: float) -> int:
    """Find how many calls take about `enough` seconds."""
    watch.timeit(1)
    loops = 1
    while (elapsed := watch.timeit(loops)) < enough / 2:
        loops *= min(10, math.ceil(enough / max(elapsed, 1e-9)))
    return loops


def timer(call: Call, options: argparse.Namespace, prepare: Call | None = None) -> Timer:
    """Make a function that measures seconds a call, in an inner loop of some 20 ms where the call is short.

    `prepare` runs before each measurement and is not timed.
    """
    watch = timeit.Timer(call)
    loops = 0

    def sample() -> float:
        nonlocal loops
        if prepare is not None:
            prepare()
        loops = loops or _loops(watch, 0.0005 if options.quick else 0.02)
        if loops > 1:
            watch.timeit(1)
        return watch.timeit(loops) / loops

    return sample


def interleave(timers: Mapping[str, Timer], options: argparse.Namespace) -> Times:
    """Measure every contender once a round, in turn, every second round backwards.

    The pause lets the worker threads of the contender before stop spinning (OpenBLAS spins for some 30 ms), which
    would otherwise take a core from the next one.
    """
    seconds: dict[str, list[float]] = {name: [] for name in timers}
    for repeat in range(options.repeats or (3 if options.quick else 7)):
        for name in list(timers)[:: -1 if repeat % 2 else 1]:
            time.sleep(0.0 if options.quick else 0.05)
            seconds[name].append(timers[name]())
    return Times(seconds)


def _status(field: str) -> int:
    """Read a size in bytes from /proc/self/status."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def peak_extra(call: Call) -> int | None:
    """Measure how far the process's resident memory rises above its start during `call`, native memory included.

    Returns
    -------
    int or None
        Bytes; None where the kernel does not let a process reset its own peak (it does on Linux).
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)  # or the call could reuse freed memory that is still resident
        Path("/proc/self/clear_refs").write_text("5")
        start = _status("VmRSS:")
        call()
        return max(0, _status("VmHWM:") - start)
    except (OSError, AttributeError):
        return None


def _blas() -> str:
    """Describe NumPy's BLAS: name, version, the kernel it chose and its threads."""
    threadpoolctl = peer("threadpoolctl")
    if threadpoolctl is None:
        return "BLAS unknown (threadpoolctl missing)"
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    own = [pool for pool in pools if "numpy" in pool["filepath"]] or pools
    return "; ".join(
        f"{pool['internal_api']} {pool['version']}, kernel {pool.get('architecture', 'unknown')}, "
        f"{pool['num_threads']} threads"
        for pool in own
    )


def _processor() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _system() -> str:
    """Name the operating system."""
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.system()} {platform.release()}"
    except OSError:
        return platform.platform()


def describe(peers: Iterable[str] = ()) -> dict[str, str]:
    """Describe the machine, the versions and what the environment sets; `peers` are import names."""
    variables = {name: value for name, value in sorted(os.environ.items()) if name.startswith(ENVIRONMENT_PREFIXES)}
    core_type = variables.get("OPENBLAS_CORETYPE")
    facts = {
        "date": datetime.date.today().isoformat(),
        "processor": f"{_processor()}, {cores()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": _system(),
        "load": f"{os.getloadavg()[0]:.2f} in the minute before" if hasattr(os, "getloadavg") else "unknown",
        "python": platform.python_version(),
        "steepest": "; ".join(f"{key} {value}" for key, value in dict(st.info()).items()),
        "numpy": f"{np.__version__}; {_blas()}",
        "OPENBLAS_CORETYPE": f"set to {core_type}: NumPy is not at its own choice" if core_type else "not set",
        "environment": ", ".join(f"{name}={value}" for name, value in variables.items()) or "nothing set",
    }
    return facts | {name: getattr(peer(name), "__version__", "missing: not compared") for name in peers}


def seconds(value: float) -> str:
    """Format a time with a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


class Table:
    """Rows printed as they come, and written as JSON at the end.

    Parameters
    ----------
    name : str
        The benchmark's name.
    machine : dict
        From `describe`; printed above the table.
    columns : mapping
        Heading to the function that formats a row's value under that heading; a value of None prints as "-".
    """

    def __init__(self, name: str, machine: dict[str, str], columns: Mapping[str, Callable[[Any], str]]) -> None:
        self.name, self.machine, self.columns = name, machine, columns
        self.rows: list[dict[str, Any]] = []
        print(f"# {name}\n")
        for key, value in machine.items():
            print(f"- {key}: {value}")

    def add(self, row: Mapping[str, Any]) -> None:
        """Print the columns of a row; every value of it goes to the JSON file."""
        widths = {heading: max(16 if style is str else 9, len(heading)) for heading, style in self.columns.items()}
        if not self.rows:
            print(f"\n| {' | '.join(heading.rjust(width) for heading, width in widths.items())} |")
            print(f"|{'|'.join('-' * (width + 1) + ':' for width in widths.values())}|")
        cells = {name: "-" if row.get(name) is None else style(row[name]) for name, style in self.columns.items()}
        print(f"| {' | '.join(cell.rjust(widths[heading]) for heading, cell in cells.items())} |", flush=True)
        self.rows.append(dict(row))

    def write(self, path: Path | None) -> None:
        """Write name, machine and rows as JSON, where a path is given."""
        if path is not None:
            path.write_text(json.dumps({"benchmark": self.name, "machine": self.machine, "rows": self.rows}, indent=1))


def refuse_wrong_answers(benchmark: Callable[[argparse.Namespace], Table], options: argparse.Namespace) -> int:
    """Run a benchmark; a wrong answer ends it with the reason on stderr, exit code 1 and no JSON file."""
    try:
        table = benchmark(options)
    except WrongAnswer as error:
        print(f"answer check failed, no time is printed: {error}", file=sys.stderr)
        return 1
    if not table.rows:
        print(f"--only {options.only} matches no case", file=sys.stderr)
        return 1
    table.write(options.json)
    return 0
