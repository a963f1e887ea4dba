"""One gradient and one Hessian product over sparse rows, against SciPy's two products and liblinear-multicore's."""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from fit_ladder import all_threads, silent
from fit_peers import MULTICORE, distribution
from fit_reference import Problem
from sparse_problems import PASS_COLUMNS, ROWS, labels, penalised, power_law, scaled
from sparse_reference import SparseReference

Array = NDArray[Any]

OURS, SCIPY, LIBLINEAR = "ours", "SciPy", "liblinear"
GRADIENT, PRODUCT = "gradient", "Hessian product"
TOLERANCE = 1e-5  # of ours in float32, relative in the Euclidean norm
LOOSE = 1e-2  # of SciPy's products in float32, which add up a column entry by entry

COLUMNS: dict[str, Callable[[Any], str]] = {
    "case": "{:>22}".format,
    "non-zeros": "{:,}".format,
    GRADIENT: harness.seconds,
    "ns/nz": "{:.2f}".format,
    f"{SCIPY} ": harness.seconds,
    f"x {SCIPY}": "{:.2f}".format,
    f"x {LIBLINEAR}": "{:.2f}".format,
    PRODUCT: harness.seconds,
    "product/gradient": "{:.2f}".format,
    f"x {SCIPY} product": "{:.2f}".format,
    f"x {LIBLINEAR} product": "{:.2f}".format,
    "error": "{:.0e}".format,
}


class Liblinear:
    """The objective of liblinear-multicore, reached as the C++ class that its solver calls.

    It is |w|^2 / 2 + C sum of losses with C = 1 / (n alpha): 1 / alpha times ours without an intercept. Its wheel
    exports the class `l2r_lr_fun`. A version that does not is left out.
    """

    _SYMBOLS: tuple[tuple[str, str], ...] = (
        ("make", "_ZN10l2r_lr_funC1EPK7problemPK9parameterPd"),
        ("value", "_ZN11l2r_erm_fun3funEPd"),
        ("slope", "_ZN10l2r_lr_fun4gradEPdS0_"),
        ("multiply", "_ZN10l2r_lr_fun2HvEPdS0_"),
    )
    _BYTES = 1 << 12  # more than the object has

    def __init__(self, library: Any, util: Any, problem: Problem) -> None:
        self.alpha, n = problem.alpha, problem.n
        self.calls = {name: getattr(library, symbol) for name, symbol in self._SYMBOLS}
        self.calls["value"].restype = ctypes.c_double
        signs = np.where(problem.y == 1, 1.0, -1.0)
        self.rows = util.problem(signs, problem.X.astype(np.float64))
        self.rows.n = problem.d  # liblinear counts the columns that it finds
        self.parameter = util.parameter(f"-s 0 -m {harness.cores()} -q")
        self.costs = np.full(n, 1 / (n * problem.alpha))
        self.object = ctypes.create_string_buffer(self._BYTES)
        self.result = np.zeros(problem.d)
        with silent(), all_threads():
            self.calls["make"](self.object, ctypes.byref(self.rows), ctypes.byref(self.parameter), self._at(self.costs))

    @staticmethod
    def _at(array: Array) -> Any:
        return array.ctypes.data_as(ctypes.c_void_p)

    def gradient(self, w: Array) -> tuple[float, Array]:
        """Return value and gradient."""
        value = self.calls["value"](self.object, self._at(w))
        self.calls["slope"](self.object, self._at(w), self._at(self.result))
        return self.alpha * value, self.alpha * self.result

    def product(self, v: Array) -> Array:
        """Return the product of v and the Hessian where the gradient was last taken."""
        self.calls["multiply"](self.object, self._at(v), self._at(self.result))
        return self.alpha * self.result


def liblinear(problem: Problem) -> Liblinear | None:
    """Return liblinear-multicore's objective, None where it is not installed or does not export it."""
    module = harness.peer("liblinear.liblinear")
    if module is None or not distribution(MULTICORE):
        return None
    try:
        return Liblinear(module.liblinear, module, problem)
    except AttributeError:
        return None


class Pass:
    """Every contender on the same rows, at the same w and v; the coefficients are those of a plausible model."""

    def __init__(self, problem: Problem) -> None:
        random = np.random.default_rng(2)
        X: Any = problem.X
        n = problem.n
        self.problem, self.liblinear = problem, liblinear(problem)
        self.objective = st.Logistic(X, problem.y, alpha=problem.alpha, intercept=False)
        self.w = (random.standard_normal(problem.d) / 4).astype(np.float32)
        self.v = random.standard_normal(problem.d).astype(np.float32)
        self.wide_w, self.wide_v = self.w.astype(np.float64), self.v.astype(np.float64)
        self.X, self.transposed = X, X.T
        p = 1 / (1 + np.exp(-(X @ self.w)))
        self.slopes, self.curvatures = (p - problem.y) / np.float32(n), p * (1 - p) / np.float32(n)

    def scipy_gradient(self) -> tuple[Array, Array]:
        """Take SciPy's two products of a gradient, and nothing else."""
        return self.X @ self.w, self.transposed @ self.slopes

    def scipy_product(self) -> Array:
        """Take SciPy's two products of a Hessian product."""
        return np.asarray(self.transposed @ (self.curvatures * (self.X @ self.v)))

    def calls(self) -> dict[str, dict[str, harness.Call]]:
        """Return what is timed: kind of call, contender, call."""
        found: dict[str, dict[str, harness.Call]] = {
            GRADIENT: {OURS: lambda: self.objective.value_and_gradient(self.w), SCIPY: self.scipy_gradient},
            PRODUCT: {OURS: lambda: self.objective.hessian_product(self.w, self.v), SCIPY: self.scipy_product},
        }
        if (peer := self.liblinear) is not None:
            found[GRADIENT][LIBLINEAR] = lambda: peer.gradient(self.wide_w)
            found[PRODUCT][LIBLINEAR] = lambda: peer.product(self.wide_v)
        return found

    def check(self, label: str) -> float:
        """Compare every contender with the float64 reference; return the larger error of ours."""
        reference, alpha = SparseReference(self.problem), self.problem.alpha
        w, v = (np.append(array, 0.0)[None] for array in (self.wide_w, self.wide_v))
        value, slope, image = reference.value(w), reference.gradient(w)[0, :-1], reference.hessian_product(w, v)[0, :-1]
        found, gradient = self.objective.value_and_gradient(self.w)
        harness.check(f"{label}, value", found, value, TOLERANCE)
        errors = [
            harness.check(f"{label}, gradient", gradient, slope, TOLERANCE),
            harness.check(
                f"{label}, Hessian product", self.objective.hessian_product(self.w, self.v), image, TOLERANCE
            ),
        ]
        penalised = alpha * self.wide_w
        harness.check(f"{label}, SciPy's gradient", self.scipy_gradient()[1] + penalised, slope, LOOSE)
        harness.check(f"{label}, SciPy's product", self.scipy_product() + alpha * self.wide_v, image, LOOSE)
        if self.liblinear is not None:
            found, gradient = self.liblinear.gradient(self.wide_w)
            harness.check(f"{label}, liblinear's value", found, value, TOLERANCE)
            harness.check(f"{label}, liblinear's gradient", gradient, slope, TOLERANCE)
            harness.check(f"{label}, liblinear's product", self.liblinear.product(self.wide_v), image, TOLERANCE)
        return max(errors)


def measure(problem: Problem, label: str, options: argparse.Namespace) -> dict[str, Any]:
    """Check all contenders on a problem, then time them in turn."""
    made = Pass(problem)
    error = made.check(label)
    calls = {f"{kind}/{who}": call for kind, found in made.calls().items() for who, call in found.items()}
    with all_threads():
        times = harness.interleave({name: harness.timer(call, options) for name, call in calls.items()}, options)

    def ratio(kind: str, peer: str) -> float | None:
        slow = f"{kind}/{peer}"
        return times.ratio(slow, f"{kind}/{OURS}") if slow in calls else None

    gradient, non_zeros = times.median(f"{GRADIENT}/{OURS}"), int(made.X.nnz)
    return {
        "non-zeros": non_zeros,
        "rows": problem.n,
        "columns": problem.d,
        GRADIENT: gradient,
        "ns/nz": 1e9 * gradient / non_zeros,
        f"{SCIPY} ": times.median(f"{GRADIENT}/{SCIPY}"),
        f"x {SCIPY}": ratio(GRADIENT, SCIPY),
        f"x {LIBLINEAR}": ratio(GRADIENT, LIBLINEAR),
        PRODUCT: times.median(f"{PRODUCT}/{OURS}"),
        "product/gradient": times.ratio(f"{PRODUCT}/{OURS}", f"{GRADIENT}/{OURS}"),
        f"x {SCIPY} product": ratio(PRODUCT, SCIPY),
        f"x {LIBLINEAR} product": ratio(PRODUCT, LIBLINEAR),
        "error": error,
        "seconds": times.seconds,
    }


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure every selected case."""
    for d in PASS_COLUMNS:
        for ones in (False, True):
            label = f"pass/{d}/{'ones' if ones else 'floats'}"
            if harness.selected(options, label):
                X = power_law(scaled(ROWS, options.scale), scaled(d, options.scale), ones)
                yield {"case": label, **measure(penalised(label, X, labels(X), "logistic"), label, options)}
