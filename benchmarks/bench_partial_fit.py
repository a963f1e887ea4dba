"""`partial_fit` with steps of single rows, over chunks of many rows and of one, against SGDClassifier.partial_fit."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from steepest.optimizers.names import OPTIMIZERS

Array = NDArray[Any]
COLUMNS_OF_X, RATE, ALPHA = 30, 1e-3, 1e-4
CHUNKS = [1, 100, 10_000]
QUICK_CHUNKS = [1, 50]
ROWS_CHECKED = 200
TOLERANCES = {"float32": 1e-4, "float64": 1e-10}


def data(n_rows: int, dtype: str) -> tuple[Array, Array]:
    """Draw rows, and labels that a logistic model explains."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, COLUMNS_OF_X))
    y = (X @ rng.standard_normal(COLUMNS_OF_X) > rng.logistic(size=n_rows)).astype(np.int64)
    return X.astype(dtype), y


def ours(rule: str) -> Any:
    """Make our estimator."""
    return st.LogisticClassifier(rule, learning_rate=RATE, alpha=ALPHA, batch_size=1, shuffle=False)


def theirs() -> Any:
    """Make scikit-learn's estimator of the same steps, or return None if scikit-learn is missing."""
    linear_model = harness.peer("sklearn.linear_model")
    return linear_model and linear_model.SGDClassifier(
        "log_loss", learning_rate="constant", eta0=RATE, alpha=ALPHA, shuffle=False
    )


def reference(rule: str, X: Array, y: Array) -> Array:
    """Return the coefficients after a step for each row, in float64, by the formulas of `steepest.reference`."""
    optimizer = OPTIMIZERS[rule](RATE)
    step = getattr(st.reference, rule_of(rule))
    w = np.zeros(COLUMNS_OF_X + 1)
    state: dict[str, Array] = {}
    penalised = np.append(np.full(COLUMNS_OF_X, ALPHA), 0.0)
    hyperparameters = {
        name: value for name, value in optimizer.state_dict()["hyperparameters"].items() if name != "learning_rate"
    }
    if rule == "nesterov":
        hyperparameters["nesterov"] = True
    for t, (x, label) in enumerate(zip(X.astype(np.float64), y, strict=True), 1):
        slope = 1 / (1 + np.exp(-(x @ w[:-1] + w[-1]))) - label
        w, state = step(w, slope * np.append(x, 1.0) + penalised * w, state, t, RATE, **hyperparameters)
    return w[:-1]


def rule_of(name: str) -> str:
    """Return the reference's name of a rule."""
    return {"momentum": "momentum", "nesterov": "momentum"}.get(name) or OPTIMIZERS[name](RATE).rule_name


def check(label: str, rule: str, X: Array, y: Array, chunk: int) -> float:
    """Compare the coefficients of all contenders with the reference; return our error."""
    X, y = X[:ROWS_CHECKED], y[:ROWS_CHECKED]
    right, tolerance = reference(rule, X, y), TOLERANCES[X.dtype.name]
    model, other = ours(rule), theirs() if rule == "gradient-descent" else None
    for start in range(0, len(y), chunk):
        rows = slice(start, start + chunk)
        for each in (model, other):
            if each is not None:
                each.partial_fit(X[rows], y[rows], classes=[0, 1])
    if other is not None:
        harness.check(f"{label}, SGDClassifier", other.coef_[0], right, tolerance)
    return harness.check(f"{label}, ours", model.coef_[0], right, tolerance)


class Calls:
    """An estimator that takes the next chunk at every call."""

    def __init__(self, model: Any, X: Array, y: Array, chunk: int) -> None:
        self.model, self.at = model, 0
        self.chunks = [(X[s : s + chunk], y[s : s + chunk]) for s in range(0, len(y), chunk)]
        model.partial_fit(X[:chunk], y[:chunk], classes=[0, 1])

    def __call__(self) -> None:
        """Take the steps over a chunk."""
        self.at = (self.at + 1) % len(self.chunks)
        self.model.partial_fit(*self.chunks[self.at])


def measure(rule: str, X: Array, y: Array, chunk: int, options: argparse.Namespace) -> dict[str, Any]:
    """Time a call of each contender."""
    timers = {"ours": harness.timer(Calls(ours(rule), X, y, chunk), options)}
    other = theirs()
    if other is not None:
        timers["SGDClassifier"] = harness.timer(Calls(other, X, y, chunk), options)
    times = harness.interleave(timers, options)
    found = {
        "call": times.median("ours"),
        "rows/s": chunk / times.median("ours"),
        "seconds": times.seconds,
    }
    if other is None:
        return found
    return found | {
        "SGDClassifier": times.median("SGDClassifier"),
        "x SGDClassifier": times.ratio("SGDClassifier", "ours"),
    }


COLUMNS: dict[str, Callable[[Any], str]] = {
    "optimizer": str,
    "dtype": str,
    "chunk": "{:_}".format,
    "call": harness.seconds,
    "rows/s": "{:,.0f}".format,
    "SGDClassifier": harness.seconds,
    "x SGDClassifier": "{:.2f}".format,
    "error": "{:.0e}".format,
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected optimizer, dtype and number of rows of a chunk."""
    table = harness.Table("partial_fit, a step for each row", harness.describe(["sklearn"]), COLUMNS)
    for dtype in TOLERANCES:
        X, y = data(500 if options.quick else 40_000, dtype)
        for rule in OPTIMIZERS:
            for chunk in QUICK_CHUNKS if options.quick else CHUNKS:
                label = f"{rule}/{dtype}/{chunk}"
                if harness.selected(options, label):
                    error = check(label, rule, X, y, chunk)
                    found = measure(rule, X, y, chunk, options)
                    table.add({"optimizer": rule, "dtype": dtype, "chunk": chunk, "error": error} | found)
    return table


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = harness.arguments(__doc__ or "", "OPTIMIZER/DTYPE/CHUNK")
    return harness.refuse_wrong_answers(benchmark, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
