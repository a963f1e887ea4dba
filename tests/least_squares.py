"""What the tests of the closed form share: the rows of ordinary least squares, and what a minimum is."""

from __future__ import annotations

import numpy as np


def rows_of(X, y, s=None, intercept=True, alpha=0.0):
    """The rows whose ordinary least squares is the problem's, in float64."""
    X, y = np.asarray(X, float), np.asarray(y, float)
    s = np.ones(len(y)) if s is None else np.asarray(s, float)
    A = np.column_stack([X, np.ones(len(y))]) if intercept else X
    root = np.sqrt(s / s.sum())
    penalty = np.sqrt(alpha / 2) * np.eye(X.shape[1], A.shape[1])
    return np.vstack([A * root[:, None], penalty]), np.append(y * root, np.zeros(len(penalty)))


def assert_stationary(objective, w, tolerance=100):
    """The gradient is zero but for the rounding of w and of its own sums."""
    size = np.abs(objective.hessian(w)).sum(axis=1).max() * np.abs(w).max() + np.abs(objective.gradient(0 * w)).max()
    assert np.abs(objective.gradient(w)).max() <= tolerance * np.finfo(w.dtype).eps * size


def rounding(A, w, condition):
    """How far rounding may move w, the solution of least squares with the rows A in float64.

    Solved by Householder QR, w is the exact solution for rows that differ from A by about A.size eps |A| (Higham,
    Accuracy and Stability of Numerical Algorithms, 2002, Theorem 20.3); `condition` is how much of that reaches w.
    """
    return A.size * np.finfo(np.float64).eps * condition * np.linalg.norm(w)
