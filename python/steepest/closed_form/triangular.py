"""The inverse of a triangular matrix, which NumPy lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_DIRECT = 64


def inverse(L: NDArray[Any]) -> NDArray[Any]:
    """Return the inverse of a lower triangular matrix. It halves the matrix; d^3 / 3 operations are in products.

    Parameters
    ----------
    L : array of shape (d, d), float64
        Above the diagonal, only the diagonal blocks of 64 are read; there they must hold zeros.

    Returns
    -------
    array of shape (d, d), float64

    Raises
    ------
    numpy.linalg.LinAlgError
        A diagonal element is zero.
    """
    result = np.zeros_like(L)
    _invert(L, result)
    return result


def _invert(L: NDArray[Any], result: NDArray[Any]) -> None:
    if len(L) <= _DIRECT:
        result[:] = np.tril(np.linalg.inv(L))
        return
    half = len(L) // 2
    top, bottom = result[:half, :half], result[half:, half:]
    _invert(L[:half, :half], top)
    _invert(L[half:, half:], bottom)
    result[half:, :half] = -bottom @ (L[half:, :half] @ top)
