"""What the tests of `st.Softmax` share: random problems, and what the reference says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

import steepest as st
from steepest import reference

TOLERANCE = {np.float32: 4e-6, np.float64: 1e-14}

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_order = pytest.mark.parametrize("order", ["C", "F"])


@dataclass(frozen=True)
class Problem:
    """A random problem, its objective and what the reference says of it."""

    n: int = 40
    d: int = 5
    k: int = 3
    order: str = "C"
    dtype: type = np.float64
    weighted: bool = False
    intercept: bool = True
    alpha: float = 0.0
    l1_ratio: float = 0.0

    @cached_property
    def data(self):
        rng = np.random.default_rng(self.n + self.d)
        X, y = rng.standard_normal((self.n, self.d)), rng.integers(0, self.k, self.n)
        s = rng.uniform(0.2, 3.0, self.n).astype(self.dtype) if self.weighted else None
        return np.asarray(X, self.dtype, order=self.order), y.astype(self.dtype), s

    @property
    def options(self):
        return {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}

    @property
    def objective(self):
        X, y, s = self.data
        return st.Softmax(X, y, sample_weight=s, n_classes=self.k, **self.options)

    @property
    def penalised(self):
        penalised = np.ones(self.w.shape)
        penalised[:, self.d :] = 0.0
        return penalised

    def drawn(self, seed):
        shape = self.k, self.d + self.intercept
        return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(self.d)).astype(self.dtype)

    @property
    def w(self):
        return self.drawn(1)

    @property
    def v(self):
        return self.drawn(2)

    def expected(self):
        X, y, s = self.data
        return reference.softmax(X, y, self.w, sample_weight=s, **self.options)

    def hessian(self):
        X, y, s = self.data
        return reference.softmax_hessian(X, y, self.w, sample_weight=s, **self.options)


def assert_close(actual, expected, problem):
    expected = np.asarray(expected)
    tolerance = TOLERANCE[problem.dtype] * np.abs(expected).max() * (4 if problem.n > 10_000 else 1)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance, err_msg=str(problem))
