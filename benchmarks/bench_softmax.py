"""Softmax's fused value and gradient against NumPy's two matrix products, its large one, and the machine's read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from steepest import _core

Array = NDArray[Any]
Shape = tuple[int, int, int]
SHAPES: list[Shape] = [(60_000, 784, 10), (60_000, 784, 100), (500_000, 100, 3), (2_000_000, 30, 7), (20_000, 4000, 5)]
QUICK_SHAPES: list[Shape] = [(257, 9, 3), (64, 33, 10)]
TOLERANCES = {"float32": 5e-6, "float64": 1e-12}
NUMPY_TOLERANCES = {"float32": 1e-3, "float64": 1e-12}  # BLAS adds up float32 rows in float32
ROWS = 8192  # rows that the reference takes at a time
SQUARE = 1500  # rows of the square product whose speed stands for the floating-point limit


@dataclass
class Problem:
    """X in one order, labels, parameters of shape (k, d + 1), a direction, and two squares, all of one dtype."""

    X: Array
    y: Array
    w: Array
    v: Array
    square: Array


def draw(shape: Shape, dtype: str, order: Any, quick: bool) -> Problem:
    """Draw a problem; scores are of order 1."""
    n, d, k = shape
    random = np.random.default_rng(0)
    X = np.asarray(random.standard_normal((n, d), dtype=np.float32), dtype, order=order)
    w, v = (random.standard_normal((2, k, d + 1)) / np.sqrt(d)).astype(dtype)
    square = random.standard_normal((50 if quick else SQUARE,) * 2).astype(dtype)
    return Problem(X, random.integers(0, k, n).astype(dtype), w, v, square)


def numpy_softmax(X: Array, y: Array, w: Array) -> tuple[float, Array]:
    """Value and gradient as a careful NumPy user writes them."""
    z = X @ w[:, :-1].T
    z += w[:, -1]
    z -= z.max(axis=1, keepdims=True)
    labels = np.arange(len(y)), y.astype(np.intp)
    value = -float(z[labels].mean(dtype=np.float64))
    np.exp(z, out=z)
    total = z.sum(axis=1, keepdims=True)
    value += float(np.log(total).mean(dtype=np.float64))
    z /= total * len(y)
    z[labels] -= 1 / len(y)
    return value, np.column_stack([z.T @ X, z.sum(axis=0)])


def expected(problem: Problem) -> tuple[float, Array, Array]:
    """Compute value, gradient and Hessian product in float64, block by block of rows."""
    w, v = problem.w.astype(np.float64), problem.v.astype(np.float64)
    value, gradient, product = 0.0, np.zeros_like(w), np.zeros_like(w)
    for start in range(0, len(problem.y), ROWS):
        A, y = problem.X[start : start + ROWS].astype(np.float64), problem.y[start : start + ROWS]
        block_value, block_gradient = st.reference.softmax(A, y, w)
        value += block_value * len(A) / len(problem.y)
        gradient += block_gradient * (len(A) / len(problem.y))
        A = np.column_stack([A, np.ones(len(A))])
        p = np.exp(A @ w.T)
        p /= p.sum(axis=1, keepdims=True)
        u = A @ v.T
        product += (p * (u - (p * u).sum(axis=1, keepdims=True))).T @ A / len(problem.y)
    return value, gradient, product


def check(label: str, problem: Problem, objective: Any) -> float:
    """Check every contender; return our relative error."""
    right, dtype = expected(problem), problem.w.dtype.name
    value, gradient = objective.value_and_gradient(problem.w)
    error = harness.check(f"{label}, value", value, right[0], TOLERANCES[dtype])
    error = max(error, harness.check(f"{label}, gradient", gradient, right[1], TOLERANCES[dtype]))
    product = objective.hessian_product(problem.w, problem.v)
    harness.check(f"{label}, Hessian product", product, right[2], TOLERANCES[dtype])
    value, gradient = numpy_softmax(problem.X, problem.y, problem.w)
    harness.check(f"{label}, NumPy, value", value, right[0], NUMPY_TOLERANCES[dtype])
    harness.check(f"{label}, NumPy, gradient", gradient, right[1], NUMPY_TOLERANCES[dtype])
    return error


def calls(problem: Problem, objective: Any) -> dict[str, harness.Call]:
    """Make the contenders; "products" are two matrix products of the sizes of the scores and of the gradient."""
    X, y, w, v, square = problem.X, problem.y, problem.w, problem.v, problem.square
    columns, slopes = np.ascontiguousarray(w[:, :-1]), np.ones((len(y), len(w)), w.dtype)
    return {
        "ours": lambda: objective.value_and_gradient(w),
        "product": lambda: objective.hessian_product(w, v),
        "products": lambda: (X @ columns.T, slopes.T @ X),
        "numpy": lambda: numpy_softmax(X, y, w),
        "square": lambda: square @ square,
        "read": lambda: _core.read_sum(X),
    }


def measure(shape: Shape, problem: Problem, objective: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Time one case."""
    contenders = calls(problem, objective)
    times = harness.interleave({name: harness.timer(call, options) for name, call in contenders.items()}, options)
    work = 4 * shape[0] * shape[1] * shape[2]
    share = work / (2 * len(problem.square) ** 3)
    return {
        "ours": times.median("ours"),
        "GFLOP/s": work / times.median("ours") / 1e9,
        "of square": share * times.ratio("square", "ours"),
        "of read": times.ratio("read", "ours"),
        "products": times.median("products"),
        "x products": times.ratio("products", "ours"),
        "NumPy": times.median("numpy"),
        "x NumPy": times.ratio("numpy", "ours"),
        "Hv/grad": times.ratio("product", "ours"),
        "seconds": times.seconds,
    }


COLUMNS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("dtype", "shape", "order"), str),
    "ours": harness.seconds,
    "GFLOP/s": "{:.0f}".format,
    **dict.fromkeys(("of square", "of read"), "{:.2f}".format),
    **dict.fromkeys(("products", "NumPy"), harness.seconds),
    **dict.fromkeys(("x products", "x NumPy", "Hv/grad"), "{:.2f}".format),
    "error": "{:.0e}".format,
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected case."""
    table = harness.Table("Softmax", harness.describe(), COLUMNS)
    for shape in QUICK_SHAPES if options.quick else SHAPES:
        for dtype in TOLERANCES:
            for order in "CF":
                name = "x".join(map(str, shape))
                if harness.selected(options, f"{dtype}/{name}/{order}"):
                    problem = draw(shape, dtype, order, options.quick)
                    objective = st.Softmax(problem.X, problem.y, n_classes=shape[2])
                    error = check(f"{dtype}/{name}/{order}", problem, objective)
                    row = measure(shape, problem, objective, options)
                    table.add({"dtype": dtype, "shape": name, "order": order, **row, "error": error})
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(__doc__ or "", "DTYPE/ROWSxCOLUMNSxCLASSES/ORDER")
    return harness.refuse_wrong_answers(benchmark, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
