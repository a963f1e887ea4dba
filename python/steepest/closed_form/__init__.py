"""The closed form of least squares, by Cholesky, QR or SVD.

This folder may use `objectives` and `arrays`.
"""

from __future__ import annotations

from .normal_equation import ClosedForm, normal_equation

__all__ = ["ClosedForm", "normal_equation"]
