"""Categorical columns as codes against the same columns of 0 and 1 in CSR, and against glum: flights that are late."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from steepest.cli.flights import LATE_MINUTES, flights_frame

Array = NDArray[Any]
ALPHA = 1e-3
CASES = ("flights", "crosses")
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}
SAME = 1e-6  # between the coefficients of the two fits, relative
NO_WORSE = 1e-6  # relative difference of a peer's loss
MOST_COLUMNS = 5000  # that glum is given: its Hessian has a number for every two
CATEGORIES = ["month", "hour", "carrier", "origin", "dest", "tailnum"]
CROSSES = [("carrier", "dest"), ("origin", "hour"), ("month", "dest"), ("tailnum", "dest")]


@dataclass
class Problem:
    """A frame, its table of codes and the same columns in CSR, targets and a point, of one dtype."""

    frame: Any
    table: st.Table
    csr: Any
    y: Array
    w: Array


def draw(case: str, dtype: str, quick: bool) -> Problem:
    """Return the flights with airports, airlines and tail numbers; with pairs of these for "crosses"."""
    flights = flights_frame()
    if quick:
        flights = flights.iloc[::500]
    frame = flights[[*CATEGORIES, "distance", "air_time"]].astype(dict.fromkeys(CATEGORIES, str))
    frame[["distance", "air_time"]] = (frame[["distance", "air_time"]] / [1000.0, 100.0]).astype(dtype)
    if case == "crosses":
        for one, other in CROSSES:
            frame[f"{one} {other}"] = frame[one] + " " + frame[other]
    frame = frame.astype({name: "category" for name in frame if name not in ("distance", "air_time")})
    table = st.Table.from_frame(frame, baseline=None, dtype=dtype)
    found = table.as_csr()
    arrays = found.data, found.indices.astype(np.int32), found.indptr.astype(np.int32)
    y = (flights["arr_delay"].to_numpy() > LATE_MINUTES).astype(dtype)
    w = np.random.default_rng(0).standard_normal(table.shape[1] + 1).astype(dtype) / 4
    return Problem(frame, table, harness.peer("scipy.sparse").csr_array(arrays, shape=table.shape), y, w)


def expected(problem: Problem) -> Array:
    """Compute the gradient in float64 by SciPy's products."""
    X, w, y = problem.csr.astype(np.float64), problem.w.astype(np.float64), problem.y.astype(np.float64)
    slopes = 1 / (1 + np.exp(-(X @ w[:-1] + w[-1]))) - y
    return np.append(X.T @ slopes, slopes.sum()) / len(y)


def fit(X: Any, problem: Problem) -> st.Result:
    """Minimise the logistic loss with a penalty."""
    return st.minimize(st.Logistic(X, problem.y, alpha=ALPHA), max_epochs=1000)


def fit_glum(problem: Problem) -> Any:
    """Fit the frame by glum, whose matrices of categories are codes too."""
    model = harness.peer("glum").GeneralizedLinearRegressor(
        family="binomial", alpha=ALPHA, l1_ratio=0.0, gradient_tol=1e-6, drop_first=False, max_iter=1000
    )
    return model.fit(problem.frame, problem.y)


def check(label: str, problem: Problem, dtype: str) -> dict[str, float]:
    """Check the gradients, and in float64 the fits.

    Returns the relative difference of the coefficients or gradients, and the time of glum's only fit.
    """
    right = expected(problem)
    errors = [
        harness.check(
            f"{label}, gradient, {name}", st.Logistic(X, problem.y).gradient(problem.w), right, TOLERANCES[dtype]
        )
        for name, X in (("codes", problem.table), ("one-hot", problem.csr))
    ]
    if dtype == "float32":
        return {"difference": max(errors)}
    own, twin = fit(problem.table, problem), fit(problem.csr, problem)
    found = {"difference": harness.check(f"{label}, coefficients", own.w, twin.w, SAME)}
    if harness.peer("glum") is not None and problem.table.shape[1] <= MOST_COLUMNS:
        start = time.perf_counter()
        model = fit_glum(problem)
        found["fit glum"] = time.perf_counter() - start
        value = st.Logistic(problem.table, problem.y, alpha=ALPHA).value(np.append(model.coef_, model.intercept_))
        harness.check(f"{label}, glum's loss", value, own.value, NO_WORSE)
    return found


def calls(problem: Problem) -> dict[str, harness.Call]:
    """Make the contenders; "products" are SciPy's two products of the one-hot matrix."""
    codes, one_hot = (st.Logistic(X, problem.y, alpha=ALPHA) for X in (problem.table, problem.csr))
    X, w, slopes = problem.csr, problem.w, np.ones_like(problem.y)
    return {
        "codes": lambda: codes.value_and_gradient(w),
        "one-hot": lambda: one_hot.value_and_gradient(w),
        "products": lambda: (X @ w[:-1], X.T @ slopes),
        "fit": lambda: fit(problem.table, problem),
        "fit one-hot": lambda: fit(problem.csr, problem),
    }


def measure(problem: Problem, options: argparse.Namespace) -> dict[str, Any]:
    """Time one case."""
    contenders = calls(problem)
    times = harness.interleave({name: harness.timer(call, options) for name, call in contenders.items()}, options)
    csr = problem.csr
    return {
        "MB": problem.table.nbytes / 1e6,
        "MB one-hot": (csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes) / 1e6,
        **{name: times.median(name) for name in contenders},
        "x one-hot": times.ratio("one-hot", "codes"),
        "x products": times.ratio("products", "codes"),
        "x fit": times.ratio("fit one-hot", "fit"),
        "seconds": times.seconds,
    }


COLUMNS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("case", "dtype", "shape"), str),
    **dict.fromkeys(("MB", "MB one-hot"), "{:.1f}".format),
    **dict.fromkeys(("codes", "one-hot", "products"), harness.seconds),
    **dict.fromkeys(("x one-hot", "x products"), "{:.2f}".format),
    **dict.fromkeys(("fit", "fit one-hot", "fit glum"), harness.seconds),
    **dict.fromkeys(("x fit", "x glum"), "{:.2f}".format),
    "difference": "{:.0e}".format,
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected case."""
    table = harness.Table("Categorical columns", harness.describe(["scipy", "glum"]), COLUMNS)
    for case in CASES:
        for dtype in TOLERANCES:
            if harness.selected(options, f"{case}/{dtype}"):
                problem = draw(case, dtype, options.quick)
                row = check(f"{case}/{dtype}", problem, dtype)
                row |= measure(problem, options)
                if "fit glum" in row:
                    row["x glum"] = row["fit glum"] / row["fit"]
                table.add({"case": case, "dtype": dtype, "shape": "x".join(map(str, problem.table.shape))} | row)
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a script."""
    return harness.refuse_wrong_answers(benchmark, harness.arguments(__doc__ or "", "CASE/DTYPE").parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
