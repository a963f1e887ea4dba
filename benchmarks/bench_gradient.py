"""Fused value and gradient against NumPy and against the machine's streaming read; Hessian product; extra memory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from steepest import _core
from steepest.arrays.device import BFLOAT16, numpy_dtype
from steepest.objectives import losses

Array = NDArray[Any]
SHAPES = [(256, 100), (4096, 64), (1024, 1024), (5_000_000, 100), (500_000, 1000), (20_000_000, 16), (50_000, 10_000)]
QUICK_SHAPES = [(257, 9), (64, 33)]
OBJECTIVES: dict[str, Any] = {loss._loss: loss for loss in (getattr(losses, name) for name in losses.__all__)}
REFERENCES: dict[str, Any] = {loss: getattr(st.reference, loss) for loss in OBJECTIVES}
TOLERANCES = {"float32": 5e-6, "float64": 1e-12}
NUMPY_TOLERANCES = {"float32": 1e-3, "float64": 1e-12}  # BLAS adds up float32 rows in float32
STORAGES = tuple(name for name, arithmetic in _core.storages.items() if name != arithmetic)  # of X alone
BLOCK = 1 << 20  # elements of X that are converted at a time
MEASURABLE = 64 << 20  # bytes of X from which its share of memory means something
BATCH = 256


@dataclass
class Problem:
    """One shape's data: X in both orders, a target for each loss, a point w and a direction v, all of one dtype.

    Where X has a narrow storage, ``wide`` has the same numbers in float32; else it is X.
    """

    X: dict[str, Array]
    wide: dict[str, Array]
    y: dict[str, Array]
    w: Array
    v: Array


def blocks(X: Array) -> Iterator[slice]:
    """Cut the rows of X into slices of about BLOCK elements."""
    rows = max(1, BLOCK // X.shape[1])
    return (slice(start, min(start + rows, len(X))) for start in range(0, len(X), rows))


def convert(X: Array, dtype: str, order: Any) -> Array:
    """Copy X block by block of rows, without temporaries of its size."""
    result = np.empty(X.shape, dtype=dtype, order=order)
    for rows in blocks(X):
        result[rows] = X[rows]
    return result


def store(X: Array, storage: str) -> Array:
    """Round X, of float32, in place to the numbers of a storage; return them as they are stored."""
    result = np.empty(X.shape, numpy_dtype(storage))
    for rows in blocks(X):
        if storage == "bfloat16":
            bits = X[rows].view(np.uint32)
            bits += 0x7FFF + ((bits >> 16) & 1)
            bits &= 0xFFFF0000
            result[rows] = (bits >> 16).astype(np.uint16).view(BFLOAT16)
        else:
            if result.dtype.kind in "iu":
                limits = np.iinfo(storage)
                X[rows] = np.clip(np.rint(4 * X[rows]), limits.min, limits.max)
            result[rows] = X[rows]
            X[rows] = result[rows]
    return result


def problem_of(dtype: str, X: Array, y: dict[str, Array], w: Array, v: Array) -> Problem:
    """Convert what was drawn; a narrow storage rounds X in place."""
    if dtype in STORAGES:
        stored = store(X, dtype)
        wide = {"C": X, "F": convert(X, "float32", "F")}
        return Problem({"C": stored, "F": np.asfortranarray(stored)}, wide, y, w, v)
    orders = {"C": X if dtype == "float32" else convert(X, dtype, "C"), "F": convert(X, dtype, "F")}
    targets = {loss: target.astype(dtype) for loss, target in y.items()}
    return Problem(orders, orders, targets, w.astype(dtype), v.astype(dtype))


def draw(shape: tuple[int, int]) -> tuple[Array, dict[str, Array], Array, Array]:
    """Draw X, a target for each loss, w and v in float32; scores are of order 1."""
    random = np.random.default_rng(0)
    X = np.empty(shape, dtype=np.float32)
    random.standard_normal(dtype=np.float32, out=X)
    truth, w, v = (random.standard_normal((3, shape[1] + 1)) / np.sqrt(shape[1])).astype(np.float32)
    target = X @ truth[:-1] + truth[-1]
    target += random.standard_normal(shape[0], dtype=np.float32)
    return X, {loss: targets_of(kind, target) for loss, kind in OBJECTIVES.items()}, w, v


def targets_of(kind: Any, numbers: Array) -> Array:
    """Take numbers about 0 to targets of a loss."""
    if kind.is_of_residuals:
        return numbers
    if kind.is_of_classes:
        return (numbers > 0).astype(np.float32)
    return np.asarray(np.rint(kind.inverse_link(np.clip(numbers, -3.0, 3.0))), np.float32)


def expected(loss: str, X: Array, y: Array, w: Array, v: Array) -> tuple[float, Array, Array]:
    """Compute value, gradient and Hessian product in float64, block by block of rows."""
    w, v = w.astype(np.float64), v.astype(np.float64)
    value, gradient, product = 0.0, np.zeros_like(w), np.zeros_like(w)
    for rows in blocks(X):
        A = X[rows].astype(np.float64)
        block_value, block_gradient = REFERENCES[loss](A, y[rows], w)
        curvature = st.reference.losses.FORMULAS[loss]().curvature(A @ w[:-1] + w[-1], y[rows])
        change = curvature * (A @ v[:-1] + v[-1])
        value += block_value * len(A) / len(X)
        gradient += block_gradient * (len(A) / len(X))
        product += np.append(A.T @ change, change.sum()) / len(X)
    return value, gradient, product


def numpy_least_squares(X: Array, y: Array, w: Array) -> tuple[float, Array]:
    """Value and gradient as a careful NumPy user writes them: two passes over X, by BLAS."""
    residual = X @ w[:-1]
    residual += w[-1]
    residual -= y
    value = float(residual @ residual) / len(y)
    residual *= 2 / len(y)
    return value, np.append(X.T @ residual, residual.sum())


def numpy_logistic(X: Array, y: Array, w: Array) -> tuple[float, Array]:
    """Likewise, without overflow; np.logaddexp would be slower than X @ w, tanh and log1p are vectorised in NumPy."""
    z = X @ w[:-1]
    z += w[-1]
    value = float(np.mean(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z))
    slope = 0.5 * np.tanh(0.5 * z)
    slope += 0.5
    slope -= y
    slope /= len(y)
    return value, np.append(X.T @ slope, slope.sum())


# A loss without one of its own is timed against the reference.
NUMPY: dict[str, Any] = {**REFERENCES, "least_squares": numpy_least_squares, "logistic": numpy_logistic}


def compare(label: str, answer: tuple[float, Array], right: tuple[float, Array, Array], tolerance: float) -> float:
    """Check value and gradient; return the larger relative error."""
    value = harness.check(f"{label}, value", answer[0], right[0], tolerance)
    return max(value, harness.check(f"{label}, gradient", answer[1], right[1], tolerance))


def check(label: str, loss: str, problem: Problem, right: tuple[float, Array, Array]) -> dict[str, float]:
    """Check every contender in both orders; return our relative error by order."""
    dtype, y, errors = problem.w.dtype.name, problem.y[loss], {}
    for order, X in problem.X.items():
        objective, name = OBJECTIVES[loss](X, y), f"{label}/{order}"
        errors[order] = compare(name, objective.value_and_gradient(problem.w), right, TOLERANCES[dtype])
        product = objective.hessian_product(problem.w, problem.v)
        harness.check(f"{name}, Hessian product", product, right[2], TOLERANCES[dtype])
        wide = problem.wide[order]
        compare(f"{name}, NumPy", NUMPY[loss](wide, y, problem.w), right, NUMPY_TOLERANCES[dtype])
        harness.check(f"{name}, read_sum", _core.read_sum(X), wide.sum(dtype=np.float64), 1e-2, X.size**0.5)
    return errors


def timers(loss: str, problem: Problem, options: argparse.Namespace) -> dict[str, harness.Timer]:
    """Make the contenders: ours, our Hessian product, NumPy and the plain read, in both orders.

    NumPy, and ours once more where X has 16 bits, get X in float32.
    """
    y, w, v = problem.y[loss], problem.w, problem.v
    calls: dict[str, harness.Call] = {}
    for order, X in problem.X.items():
        objective = OBJECTIVES[loss](X, y)
        calls[f"ours {order}"] = lambda objective=objective: objective.value_and_gradient(w)  # type: ignore[misc]
        calls[f"product {order}"] = lambda objective=objective: objective.hessian_product(w, v)  # type: ignore[misc]
        wide = problem.wide[order]
        calls[f"numpy {order}"] = lambda wide=wide: NUMPY[loss](wide, y, w)  # type: ignore[misc]
        if wide is not X:
            in_float32 = OBJECTIVES[loss](wide, y)
            calls[f"float32 {order}"] = lambda objective=in_float32: objective.value_and_gradient(w)  # type: ignore[misc]
        calls[f"read {order}"] = lambda X=X: _core.read_sum(X)  # type: ignore[misc]
    return {name: harness.timer(call, options) for name, call in calls.items()}


def memory(loss: str, X: Array, y: Array, w: Array, order: str) -> dict[str, float | None]:
    """Measure peak memory beyond X of a call and of two epochs of a fit, batch and mini-batch, in percent of X."""

    def fit(batch_size: int | None) -> object:
        rule = st.GradientDescent(1e-4)
        return st.minimize(OBJECTIVES[loss](X, y), optimizer=rule, batch_size=batch_size, max_epochs=2, random_state=0)

    calls: dict[str, harness.Call] = {
        "call +%": lambda: OBJECTIVES[loss](X, y).value_and_gradient(w),
        "fit +%": lambda: fit(None),
    }
    if order == "C":  # a gather of rows from an F-ordered X takes long and the same memory
        calls[f"b{BATCH} +%"] = lambda: fit(BATCH)
    extra = {name: harness.peak_extra(call) for name, call in calls.items()}
    return {name: None if size is None else 100 * size / X.nbytes for name, size in extra.items()}


def measure(loss: str, problem: Problem, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Time one loss, dtype and shape; yield a row an order."""
    times = harness.interleave(timers(loss, problem, options), options)
    for order, X in problem.X.items():
        ours, read, numpy_name = f"ours {order}", f"read {order}", f"numpy {order}"
        yield {
            "order": order,
            "ours": times.median(ours),
            "GB/s": X.nbytes / times.median(ours) / 1e9,
            "read GB/s": X.nbytes / times.median(read) / 1e9,
            "of read": times.ratio(read, ours),
            "NumPy": times.median(numpy_name),
            "x NumPy": times.ratio(numpy_name, ours),
            "x float32": times.ratio(f"float32 {order}", ours) if X is not problem.wide[order] else None,
            "F/C": times.ratio("ours F", "ours C") if order == "F" else None,
            "Hv/grad": times.ratio(f"product {order}", ours),
            "seconds": times.seconds,
            **(memory(loss, X, problem.y[loss], problem.w, order) if X.nbytes >= MEASURABLE else {}),
        }


def run_shape(shape: tuple[int, int], table: harness.Table, options: argparse.Namespace) -> None:
    """Check, then time, every selected loss and dtype of one shape; its arrays are freed on return."""
    dtypes = options.storage or TOLERANCES
    cases = [(dtype, loss, f"{loss}/{dtype}/{shape[0]}x{shape[1]}") for dtype in dtypes for loss in OBJECTIVES]
    cases = [case for case in cases if harness.selected(options, case[2])]
    if not cases:
        return
    X, y, w, v = draw(shape)
    rights: dict[str, tuple[float, Array, Array]] = {}
    for dtype in dict.fromkeys(dtype for dtype, _, _ in cases):
        problem = problem_of(dtype, X, y, w, v)
        if dtype in STORAGES:
            rights.clear()  # X was rounded
        for loss, label in [case[1:] for case in cases if case[0] == dtype]:
            if loss not in rights:
                rights[loss] = expected(loss, X, y[loss], w, v)
            errors = check(label, loss, problem, rights[loss])
            for row in measure(loss, problem, options):
                heading = {"loss": loss, "dtype": dtype, "shape": f"{shape[0]}x{shape[1]}"}
                table.add({**heading, **row, "error": errors[row["order"]]})
        del problem


COLUMNS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("loss", "dtype", "shape", "order"), str),
    "ours": harness.seconds,
    **dict.fromkeys(("GB/s", "read GB/s"), "{:.1f}".format),
    "of read": "{:.2f}".format,
    "NumPy": harness.seconds,
    **dict.fromkeys(("x NumPy", "x float32", "F/C", "Hv/grad"), "{:.2f}".format),
    "error": "{:.0e}".format,
    **dict.fromkeys(("call +%", "fit +%", f"b{BATCH} +%"), "{:.2f}".format),
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected shape."""
    columns = {name: style for name, style in COLUMNS.items() if options.storage or name != "x float32"}
    table = harness.Table("Fused gradient", harness.describe(), columns)
    for shape in QUICK_SHAPES if options.quick else SHAPES:
        run_shape(shape, table, options)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(__doc__ or "", "LOSS/DTYPE/ROWSxCOLUMNS")
    parser.add_argument(
        "--storage", action="append", choices=STORAGES, help="dtype of X, for float32 and float64 (repeatable)"
    )
    return harness.refuse_wrong_answers(benchmark, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
