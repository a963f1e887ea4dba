"""What is timed: the shapes of the benchmarks of gradients, softmax, updates and epochs, and whole fits.

A group is what one process times: its name, and what makes its data and returns its calls by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import steepest as st

from .data import OF_FLOATS, STORAGES, Array, arithmetic, stored
from .run_cases import RULES

Calls = dict[str, Callable[[], object]]
# Shapes of bench_gradient and bench_softmax; the large ones have fewer rows unless all is asked for.
FULL = [(256, 100), (4096, 64), (1024, 1024), (5_000_000, 100), (500_000, 1000), (20_000_000, 16), (50_000, 10_000)]
USUAL = [(256, 100), (4096, 64), (1024, 1024), (500_000, 100), (50_000, 1000), (2_000_000, 16), (5_000, 10_000)]
QUICK = [(257, 9)]
OF_NARROW = (4096, 50_000)  # rows of the shapes that are timed with narrow storages of X too
SOFTMAX = {"full": [(60_000, 784, 10), (500_000, 100, 3)], "usual": [(10_000, 784, 10), (200_000, 100, 3)]}
UPDATES = [("float32", 1000), ("float32", 100_000), ("float32", 3_000_000), ("float64", 1000), ("float64", 1_000_000)]
BATCHES = (1, 32, 256, 4096)


def normal(*shape: int, seed: int = 0) -> Array:
    """Return normal numbers in float32."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def groups(size: str) -> dict[str, Callable[[], Calls]]:
    """Return the groups of a size: "quick", "usual" or "full"."""
    found: dict[str, Callable[[], Calls]] = {}
    for n, d in {"quick": QUICK, "usual": USUAL, "full": FULL}[size]:
        for storage in STORAGES if n in OF_NARROW or size == "full" else OF_FLOATS:
            found[f"gradient/{storage}/{n}x{d}"] = partial(_gradient, storage, n, d)
    for n, d, k in SOFTMAX.get(size, [(257, 9, 3)]):
        for storage in OF_FLOATS:
            found[f"softmax/{storage}/{n}x{d}x{k}"] = partial(_softmax, storage, n, d, k)
    for dtype, n in UPDATES[:1] if size == "quick" else UPDATES:
        found[f"update/{dtype}/{n}"] = partial(_update, dtype, n)
    n = {"quick": 2000, "usual": 100_000, "full": 1_000_000}[size]
    found[f"epoch/{n}x100"] = partial(_epoch, n, 100)
    found["fit"] = partial(_fits, 20 if size == "quick" else 1)
    found["little fit"] = _little_fits
    return found


def _objectives(storage: str, n: int, d: int) -> Any:
    X = normal(n, d)
    target = X[:, 0] - X[:, -1] + normal(n, seed=1)
    dtype = arithmetic(storage)
    in_orders = {"C": stored_without_float64(X, storage)}
    in_orders["F"] = np.asfortranarray(in_orders["C"])
    return in_orders, target.astype(dtype), (target > 0).astype(dtype)


def stored_without_float64(X: Array, storage: str) -> Array:
    """Return X in a storage; only narrow storages take more memory on the way."""
    return X.astype(storage, copy=False) if storage in OF_FLOATS else stored(X, storage)


def _gradient(storage: str, n: int, d: int) -> Calls:
    in_orders, target, labels = _objectives(storage, n, d)
    w, v = (normal(2, d + 1, seed=2) / np.sqrt(d)).astype(arithmetic(storage))
    calls: Calls = {}
    for order, X in in_orders.items():
        squares, logistic = st.LeastSquares(X, target), st.Logistic(X, labels)
        calls[f"least squares {order}"] = partial(squares.value_and_gradient, w)
        calls[f"logistic {order}"] = partial(logistic.value_and_gradient, w)
        calls[f"product {order}"] = partial(logistic.hessian_product, w, v)
    return calls


def _softmax(storage: str, n: int, d: int, k: int) -> Calls:
    labels = np.random.default_rng(3).integers(0, k, n).astype(storage)
    w, v = (normal(2, k, d + 1, seed=2) / np.sqrt(d)).astype(storage)
    calls: Calls = {}
    for order, X in _objectives(storage, n, d)[0].items():
        objective = st.Softmax(X, labels, n_classes=k)
        calls[f"softmax {order}"] = partial(objective.value_and_gradient, w)
        calls[f"product {order}"] = partial(objective.hessian_product, w, v)
    return calls


def _update(dtype: str, n: int) -> Calls:
    gradient = normal(n, seed=4).astype(dtype) / 1000
    return {name: partial(make().step, normal(n).astype(dtype), gradient) for name, make in RULES.items()}


def _epoch(n: int, d: int) -> Calls:
    in_orders, _, labels = _objectives("float32", n, d)
    objective = st.Logistic(in_orders["C"], labels)
    calls: Calls = {}
    for name, rule in (("GradientDescent", partial(st.GradientDescent, 0.01)), ("Adam", partial(st.Adam, 1e-3))):
        for batch in BATCHES:
            options: dict[str, Any] = {"batch_size": batch, "max_epochs": 1, "random_state": 0, "diagnose": False}
            calls[f"{name} {batch}"] = partial(_run, objective, rule, options)
    return calls


def _run(objective: Any, rule: Callable[[], Any], options: dict[str, Any]) -> object:
    return st.minimize(objective, None, rule(), **options)


def _fits(part: int) -> Calls:
    """Return whole fits; `part` divides the rows."""
    in_orders, _, labels = _objectives("float32", 200_000 // part, 100)
    X = in_orders["C"]
    narrow, target, _ = _objectives("float32", 54_000 // part, 26)
    classes = np.clip(np.round(target[: 30_000 // part] + 2), 0, 4).astype(int)
    rows = narrow["C"][: len(classes)]
    logistic, squares = st.Logistic(X, labels, alpha=1e-4), st.LeastSquares(narrow["C"], target, alpha=1e-4)
    end = st.stop.GradientNorm(1e-5)
    return {
        "logistic 200k x 100, LogisticClassifier": lambda: st.LogisticClassifier(alpha=1e-4).fit(X, labels),
        "logistic 200k x 100, minimize": lambda: st.minimize(logistic, stop=end, diagnose=False),
        "least squares 54k x 26, LinearRegressor": lambda: st.LinearRegressor(alpha=1e-4).fit(narrow["C"], target),
        "least squares 54k x 26, minimize": lambda: st.minimize(squares, stop=end, diagnose=False),
        "least squares 54k x 26 F, standardize": lambda: st.LinearRegressor(standardize=True).fit(narrow["F"], target),
        "lasso 54k x 26": lambda: st.LinearRegressor(alpha=0.05, l1_ratio=1.0).fit(narrow["C"], target),
        "softmax 30k x 26 x 5": lambda: st.LogisticClassifier(alpha=1e-4).fit(rows, classes),
        "closed form 54k x 26": lambda: st.normal_equation(squares),
    }


def _little_fits() -> Calls:
    X = normal(569, 30).astype(np.float64)
    target = X[:, 0] + normal(569, seed=1)
    labels, classes = target > 0, np.clip(np.round(target), -1, 1).astype(int)
    adam: dict[str, Any] = {"optimizer": "adam", "max_iter": 20, "batch_size": 32}
    return {
        "logistic 569 x 30": lambda: st.LogisticClassifier().fit(X, labels),
        "logistic 569 x 30, standardize": lambda: st.LogisticClassifier(standardize=True).fit(X, labels),
        "logistic 569 x 30, 20 epochs of Adam": lambda: st.LogisticClassifier(**adam).fit(X, labels),
        "least squares 569 x 30": lambda: st.LinearRegressor().fit(X, target),
        "softmax 569 x 30 x 3": lambda: st.LogisticClassifier().fit(X, classes),
    }
