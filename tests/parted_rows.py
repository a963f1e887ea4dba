"""Rows in parts and in one array, and the objectives over both."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.sparse as sp

import steepest as st
from steepest.arrays.sparse import csr_view
from steepest.objectives.parts import Parts

N, D, K = 403, 5, 3
CUTS = [0, 37, 38, 211, 300, N]


def rows(loss, dtype="float64", far=0.0, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(N, D)) * np.geomspace(0.3, 3.0, D) + far
    z = (X - far) @ np.linspace(-0.7, 0.7, D) + random.normal(size=N)
    y = {"Logistic": z > 0, "Softmax": np.digitize(z, [-1, 1]), "Poisson": random.poisson(np.exp(np.clip(z, -3, 3)))}
    weight = random.integers(0, 3, N)
    return X.astype(dtype), np.asarray(y.get(loss, z)).astype(dtype), weight.astype(dtype)


def in_parts(X, y, weight, cuts=CUTS):
    each = [
        (csr_view(X[a:b]) if sp.issparse(X) else X[a:b], y[a:b], None if weight is None else weight[a:b])
        for a, b in itertools.pairwise(cuts)
    ]
    return Parts.of(each)


def both(loss, dtype="float64", far=0.0, sparse=False, weighted=True, **options):
    X, y, weight = rows(loss, dtype, far)
    if sparse:
        X[np.abs(X) < 0.5] = 0.0
        X = sp.csr_array(X)
    weight = weight if weighted else None
    if loss == "Softmax":
        options["n_classes"] = K
    kind = getattr(st, loss)
    return kind(in_parts(X, y, weight), **options), kind(X, y, sample_weight=weight, **options)


LOSSES = ("LeastSquares", "Logistic", "Huber", "Poisson", "Softmax")
OPTIONS = {
    "plain": {"alpha": 0.01},
    "no intercept": {"alpha": 0.01, "intercept": False},
    "l1": {"alpha": 0.05, "l1_ratio": 0.9},
    "standardised": {"alpha": 0.01, "centre": np.linspace(-1.0, 1.0, D), "scale": np.linspace(0.5, 2.0, D)},
}
RULES = [st.GradientDescent(0.05), st.GradientDescent("auto"), st.Momentum("auto"), st.Adam(0.05), st.RMSProp(0.01)]


def read_parts(X, y, weight, capacity):
    return Parts.of([(X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(CUTS)], capacity)
