"""Functions with a Hessian that a test knows."""

from __future__ import annotations

import numpy as np

import steepest as st


def quadratic(hessian, minimum=None, with_product=True):
    """Make the function (w - m).H(w - m) / 2 of its Hessian H and its stationary point m, 0 if not given."""
    hessian = np.asarray(hessian, dtype=float)
    minimum = np.zeros(len(hessian)) if minimum is None else minimum

    def value_and_gradient(w):
        slope = hessian @ (w - minimum)
        return 0.5 * slope @ (w - minimum), slope

    return st.Function(value_and_gradient, len(hessian), (lambda w, v: hessian @ v) if with_product else None)


def rotated(eigenvalues, seed=0):
    """Make a symmetric matrix with these eigenvalues."""
    eigenvalues = np.asarray(eigenvalues, dtype=float)
    shape = len(eigenvalues), len(eigenvalues)
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal(shape))[0]
    matrix = (q * eigenvalues) @ q.T
    return (matrix + matrix.T) / 2
