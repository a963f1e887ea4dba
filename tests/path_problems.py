"""Problems for tests of paths, and the conditions of a minimum in NumPy."""

from __future__ import annotations

import numpy as np

N, D = 300, 12
LOSSES = ["LeastSquares", "Huber", "Logistic", "Softmax", "Poisson"]


def rows(seed=0, n=N, d=D):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ (np.eye(d) + 0.4 * rng.standard_normal((d, d))) + rng.normal(0, 1, d)


def targets(loss, X, seed=1):
    rng = np.random.default_rng(seed)
    score = (X[:, :3] - X[:, :3].mean(axis=0)) @ [1.0, -0.7, 0.4]
    noise = rng.standard_normal(len(X))
    return {
        "LeastSquares": 5 + score + noise,
        "Huber": 5 + score + rng.standard_t(2, len(X)),
        "Logistic": np.where(score + noise > 0, 1.0, 0.0),
        "Softmax": np.digitize(score + noise, [-1.0, 0.5]).astype(float),
        "Poisson": rng.poisson(np.exp(0.5 * score)).astype(float),
    }[loss]


def slopes(loss, z, y):
    """The derivatives of the rows' losses by their scores, from the formulas in the docstrings of the losses."""
    if loss == "LeastSquares":
        return 2 * (z - y)
    if loss == "Huber":
        return 2 * np.clip(z - y, -1.35, 1.35)
    if loss == "Logistic":
        return 1 / (1 + np.exp(-z)) - y
    if loss == "Poisson":
        return np.exp(z) - y
    odds = np.exp(z - z.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True) - np.eye(z.shape[1])[y.astype(int)]


def violations(loss, X, y, path, weight=None):
    """For each alpha, by how much the conditions of a minimum fail, as a share of alpha."""
    weight = np.ones(len(y)) if weight is None else weight
    found = []
    for index, alpha in enumerate(path.alphas):
        w = np.atleast_2d(path.parameters(index)).astype(np.float64)
        z = X @ w[:, :-1].T + w[:, -1]
        slope = slopes(loss, z if loss == "Softmax" else z[:, 0], y).reshape(len(y), -1)
        gradient = (weight[:, None] * slope).T @ X / weight.sum() + alpha * (1 - path.l1_ratio) * w[:, :-1]
        l1, kept = alpha * path.l1_ratio, w[:, :-1] != 0
        off = np.where(kept, np.abs(gradient + l1 * np.sign(w[:, :-1])), np.maximum(np.abs(gradient) - l1, 0))
        found.append(max(off.max(), np.abs((weight[:, None] * slope).sum(axis=0) / weight.sum()).max()) / alpha)
    return np.array(found)


def dense(path):
    return np.array([path.parameters(index) for index in range(len(path))])
