"""The losses with one score a row, bound to data."""

from __future__ import annotations

from typing import Any

from ..arrays.checks import check_labels
from ..arrays.device_checks import check_device_labels
from ..arrays.interop import DeviceView
from .data import DataObjective, documented

__all__ = ["LeastSquares", "Logistic"]


@documented
class LeastSquares(DataObjective):
    """Mean squared error: loss(z, y) = (z - y)^2, without a factor 1/2."""

    _loss = "least_squares"
    constant_curvature = True


@documented
class Logistic(DataObjective):
    """Logistic loss of targets 0 and 1: loss(z, y) = log(1 + e^z) - y z."""

    _loss = "logistic"

    def _check_targets(self, y: Any) -> None:
        if isinstance(y, DeviceView):
            check_device_labels(y)
        else:
            check_labels(y)
