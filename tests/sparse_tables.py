"""Sparse rows, with targets for every loss, and the estimators that fit them: for the tests of estimators."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import steepest as st

N, D = 1500, 12
MADE = {
    "least squares": lambda **options: st.LinearRegressor(**options),
    "huber": lambda **options: st.LinearRegressor(loss="huber", **options),
    "poisson": lambda **options: st.LinearRegressor(loss="poisson", **options),
    "logistic": lambda **options: st.LogisticClassifier(**options),
    "softmax": lambda **options: st.LogisticClassifier(**options),
}
each_loss = pytest.mark.parametrize("loss", MADE)
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def problem(loss, n=N, d=D, density=0.3, seed=0):
    """Sparse rows with an empty row and an empty column, and targets that no model fits exactly."""
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n, d), density=density, rng=rng, data_sampler=rng.standard_normal).tolil()
    X[5], X[:, [2]] = 0.0, 0.0
    X = X.tocsr()
    z = X @ rng.standard_normal(d) + 0.5
    y = {
        "least squares": lambda: z + rng.standard_normal(n),
        "huber": lambda: z + rng.standard_t(2, n),
        "poisson": lambda: rng.poisson(np.exp(np.clip(z / 2, -3, 3))).astype(float),
        "logistic": lambda: np.where(z > rng.logistic(size=n), "yes", "no"),
        "softmax": lambda: np.digitize(z + rng.logistic(size=n), [-0.5, 1.0]),
    }[loss]()
    return X, y


def taking_dtype(y, dtype):
    return y.astype(dtype) if y.dtype.kind == "f" else y
