"""Sparse data: gradients against SciPy's products, whole fits and stochastic epochs against other packages."""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bench_fit
import fit_peers
import harness
import processes
import sparse_epochs
import sparse_passes
import sparse_peers
from fit_contenders import OURS
from fit_problems import installed
from sparse_problems import cases
from sparse_reference import SparseReference

Row = dict[str, Any]
QUICK_SCALE = 0.001
BUDGET = 5.0  # seconds
MOST_EPOCHS = 1000  # of the fit from which the search for the optimum begins
FACTS = {
    "problem": "float32 values, int32 indices, CSR; mean loss + alpha / 2 |w|^2, the intercept free",
    "pass": "SciPy: X @ w and X.T @ r alone, on one thread as always; ns/nz: of a gradient, over the non-zeros",
    "suboptimality": bench_fit.FACTS["suboptimality"],
    "x": "time over ours: above 1 ours is faster; the median of the rounds' ratios",
}


def fits(options: argparse.Namespace) -> Iterator[Row]:
    """Fit every selected problem by every contender."""
    for case in cases(options.scale):
        if not harness.selected(options, case.label):
            continue
        if case.missing():
            print(f"- {case.label}: not run, missing: {', '.join(case.missing())}")
            continue
        problem = case.make()
        found = sparse_peers.contenders(problem)
        own = next(made for made in found if made.name == OURS[0])
        reference = SparseReference(problem, partial(own.fit, MOST_EPOCHS))
        size = {"rows": problem.n, "columns": problem.d, "non-zeros": int(problem.X.nnz), "scores": problem.n_scores}
        for row in bench_fit.measure(reference, found, options):
            yield size | row


def version(name: str) -> str:
    """Name the version of a package that brings data; of some only the files are read."""
    return importlib.metadata.version(name) if installed(name) else "missing"


# What `--only` and the command line name, its heading, its columns, and what yields its rows.
PARTS: dict[str, tuple[str, Mapping[str, Callable[[Any], str]], Callable[[argparse.Namespace], Iterator[Row]]]] = {
    "pass": ("One pass", sparse_passes.COLUMNS, sparse_passes.rows),
    "fit": ("Whole fits", bench_fit.COLUMNS, fits),
    "epoch": ("Stochastic epochs", sparse_epochs.COLUMNS, sparse_epochs.rows),
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected part; the rows of all say which part they are of."""
    versions = fit_peers.versions(sparse_peers.PEERS) | {name: version(name) for name in sparse_peers.DATA}
    facts = harness.describe() | versions | FACTS | {"scale": f"{options.scale:g}"}
    table = harness.Table("Sparse data", facts, {})
    for name in options.parts or PARTS:
        heading, columns, rows = PARTS[name]
        print()
        part = harness.Table(heading, {}, columns)
        for row in rows(options):
            part.add(row)
            table.rows.append({"part": name, **row})
    print()
    for line in bench_fit.summary([row for row in table.rows if row["part"] == "fit"]):
        print(line)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    labels = "a case such as pass/200000/ones, fit/words/language or epoch/200000/AdaGrad/64"
    parser = harness.arguments(__doc__ or "", labels)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)} (all)")
    parser.add_argument("--scale", type=float, default=1.0, help="of rows and columns, to see ratios sooner (1)")
    parser.add_argument(
        "--budget", type=float, default=BUDGET, metavar="S", help=f"seconds a fit may take ({BUDGET:g})"
    )
    parser.add_argument("--optima", type=Path, metavar="DIR", help="keep the optima here, and take them from here")
    parser.add_argument("--contender", action="append", metavar="NAME", help="run those whose name has this in it")
    processes.add_option(parser)
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"PART must be any of {', '.join(PARTS)}, got {', '.join(unknown)}")
    if not 0 < options.scale <= 1:
        parser.error(f"--scale must be above 0 and at most 1, got {options.scale:g}")
    if harness.peer("scipy") is None:
        print("scipy is missing, which makes the data and checks the answers: pip install scipy", file=sys.stderr)
        return 1
    if options.quick:
        options.scale, options.budget = min(options.scale, QUICK_SCALE), min(options.budget, 0.5)
    if options.optima:
        options.optima /= f"scale-{options.scale:g}"
    options.repeats = options.repeats or (1 if options.quick else 3)
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())
