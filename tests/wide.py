"""Wide problems beside an L1 penalty, and the conditions of their minima in NumPy."""

from __future__ import annotations

import numpy as np

import steepest as st

LOSSES = ("least_squares", "logistic", "huber", "poisson", "softmax")
CLASSES = {"least_squares": st.LeastSquares, "logistic": st.Logistic, "huber": st.Huber, "poisson": st.Poisson}
CLASSES["softmax"] = st.Softmax


def targets(loss, scores, random):
    """Targets of a loss for scores about 1 in size."""
    n = len(scores)
    if loss == "logistic":
        return (scores + random.logistic(size=n) > 0.0).astype(np.float64)
    if loss == "poisson":
        return random.poisson(np.exp(np.clip(scores, -4.0, 3.0))).astype(np.float64)
    if loss == "softmax":
        return np.digitize(scores + 0.5 * random.normal(size=n), [-0.7, 0.7]).astype(np.float64)
    noise = random.standard_t(2, size=n) if loss == "huber" else random.normal(size=n)
    return scores + 0.5 * noise


def problem(loss, n, d, seed=0, *, true=5, dtype=np.float64, weighted=False):
    """X, y and weights of a loss, of which a few columns matter."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, d))
    some = random.permutation(d)[: min(true, d)]
    scores = X[:, some] @ random.normal(size=len(some)) + 0.3
    y = targets(loss, scores / max(scores.std(), 1e-3), random)
    if loss == "softmax":
        y[:3] = [0.0, 1.0, 2.0][: len(y[:3])]
    weight = random.integers(0, 4, n).astype(dtype) if weighted else None
    if weighted:
        weight[0] = 1.0
    return X.astype(dtype), y.astype(dtype), weight


def row_parts(loss, z, y, delta=1.35):
    """Losses and slopes of rows at scores of shape (n,), or (n, k) of softmax, by their formulas."""
    if loss == "least_squares":
        return (z - y) ** 2, 2.0 * (z - y)
    if loss == "logistic":
        return np.logaddexp(0.0, z) - y * z, 1.0 / (1.0 + np.exp(-z)) - y
    if loss == "huber":
        r = z - y
        far = np.abs(r) > delta
        return np.where(far, 2.0 * delta * np.abs(r) - delta**2, r**2), 2.0 * np.clip(r, -delta, delta)
    if loss == "poisson":
        return np.exp(z) - y * z, np.exp(z) - y
    top = z.max(axis=1, keepdims=True)
    odds = np.exp(z - top)
    own = np.arange(len(y)), y.astype(int)
    slopes = odds / odds.sum(axis=1, keepdims=True)
    values = np.log(odds.sum(axis=1)) + top[:, 0] - z[own]
    slopes[own] -= 1.0
    return values, slopes


def value_and_subgradient(loss, X, y, weight, w, l1, l2, intercept, lower=-np.inf):
    """The objective at w, and the smallest subgradient of each parameter: all in float64, by the definitions.

    ``l1`` and ``l2`` are numbers, or arrays of shape (d,).
    """
    X, y, w = X.astype(np.float64), y.astype(np.float64), np.asarray(w, np.float64)
    n, d = X.shape
    table = w.reshape(-1, d + intercept)
    coefficients = table[:, :d]
    z = X @ coefficients.T + (table[:, d] if intercept else 0.0)
    share = np.ones(n) / n if weight is None else weight / weight.sum()
    values, slopes = row_parts(loss, z if loss == "softmax" else z[:, 0], y)
    slopes = slopes.reshape(n, -1)
    gradient = (share[:, None] * slopes).T @ X
    l1, l2 = np.broadcast_to(l1, d), np.broadcast_to(l2, d)
    smooth = gradient + l2 * coefficients
    at_zero = np.sign(smooth) * np.maximum(np.abs(smooth) - l1, 0.0)
    at_bound = np.where(smooth < -l1, smooth + l1, 0.0)
    zero = np.where(np.isfinite(lower), at_bound, at_zero)
    sub = np.where(coefficients == 0.0, zero, smooth + l1 * np.sign(coefficients))
    if intercept:
        sub = np.concatenate([sub, (share[:, None] * slopes).sum(axis=0)[:, None]], axis=1)
    used = coefficients != 0.0
    penalty = np.sum((np.broadcast_to(l1, used.shape) * np.abs(coefficients))[used])
    penalty += 0.5 * np.sum(np.broadcast_to(l2, used.shape) * coefficients**2)
    return float(share @ values + penalty), sub


def objective_of(loss, X, y, weight=None, **options):
    """The objective of a loss; of three classes in any case."""
    more = {"n_classes": 3} if loss == "softmax" else {}
    return CLASSES[loss](X, y, sample_weight=weight, **more, **options)
