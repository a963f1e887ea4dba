"""The closed form of least squares: Cholesky, QR or SVD of the rows.

This folder may use `objectives` and `arrays`.
"""

from __future__ import annotations

from .normal_equation import ClosedForm, normal_equation

__all__ = ["ClosedForm", "normal_equation"]
