"""Update rules against the in-place NumPy recurrence and torch.optim, from 1k to 100M parameters.

Each contender takes its steps in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import harness
import processes
from update_contenders import RULES, Numpy, Ours, Torch, check

SIZES = {
    "float32": [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000],
    "float64": [1_000, 10_000, 100_000, 1_000_000, 10_000_000],
}
QUICK_SIZES = {"float32": [33, 1000], "float64": [33]}


class Stepper:
    """A contender of one case with arrays of its own: checked, then timed.

    Parameters
    ----------
    name : str
        "ours", "numpy" or "torch N", N being its threads.
    rule, dtype, n
        The case; the parameters and the gradient are the same for every contender.
    options : argparse.Namespace
        Of the command line.
    """

    def __init__(self, name: str, rule: str, dtype: str, n: int, options: argparse.Namespace) -> None:
        random, number = np.random.default_rng(n), np.float32 if dtype == "float32" else np.float64
        w, g = (random.standard_normal(n, number) for _ in range(2))
        kind, _, threads = name.partition(" ")
        if kind == "torch":
            torch = harness.peer("torch")
            torch.set_num_threads(int(threads))
            made: Any = Torch(torch, RULES[rule], w, g)
        else:
            made = {"ours": Ours, "numpy": Numpy}[kind](RULES[rule], w, g)
        self._errors = check(f"{rule}/{dtype}/{n}", RULES[rule], {name: made}, w, g)
        self._timer = harness.timer(made.step, options)

    def error(self) -> float:
        """Return the relative error after some steps."""
        (error,) = self._errors.values()
        return error

    def sample(self) -> float:
        """Measure the seconds of a step."""
        return self._timer()


def measure(rule: str, dtype: str, n: int, options: argparse.Namespace) -> dict[str, Any]:
    """Check one rule at one size, then time it."""
    torch = harness.peer("torch") if RULES[rule].torch else None
    names = ["ours", "numpy", *(f"torch {threads}" for threads in harness.thread_choices() if torch is not None)]
    with contextlib.ExitStack() as stack:
        made = {
            name: stack.enter_context(
                processes.start(Stepper, name, rule, dtype, n, options, together=options.together)
            )
            for name in names
        }
        error = made["ours"].ask("error")
        times = harness.interleave({name: partial(host.ask, "sample") for name, host in made.items()}, options)
    best, states = times.best("torch"), len(RULES[rule].state)
    way = "fused" if "fused" in RULES[rule].torch_options else "foreach"
    return {
        "ours": times.median("ours"),
        "GB/s": n * np.dtype(dtype).itemsize * (3 + 2 * states) / times.median("ours") / 1e9,
        "NumPy": times.median("numpy"),
        "x NumPy": times.ratio("numpy", "ours"),
        "torch": best and times.median(best),
        "x torch": best and times.ratio(best, "ours"),
        "torch way": best and f"{way}, {best.split()[1]} thr",
        "error": error,
        "seconds": times.seconds,
    }


COLUMNS: dict[str, Callable[[Any], str]] = {
    "rule": str,
    "dtype": str,
    "n": "{:_}".format,
    "ours": harness.seconds,
    "GB/s": "{:.1f}".format,
    "NumPy": harness.seconds,
    "x NumPy": "{:.1f}".format,
    "torch": harness.seconds,
    "x torch": "{:.2f}".format,
    "torch way": str,
    "error": "{:.0e}".format,
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected rule, dtype and size."""
    table = harness.Table("Update rules", harness.describe(["torch"]), COLUMNS)
    for dtype, sizes in (QUICK_SIZES if options.quick else SIZES).items():
        for n in sizes:
            for rule in RULES:
                if harness.selected(options, f"{rule}/{dtype}/{n}"):
                    table.add({"rule": rule, "dtype": dtype, "n": n, **measure(rule, dtype, n, options)})
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(__doc__ or "", "RULE/DTYPE/SIZE")
    processes.add_option(parser)
    return harness.refuse_wrong_answers(benchmark, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
