"""`PartsTraining`: one fit of data in parts. Statistics of the parts take the place of looks at the rows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays.device import arithmetic_dtype
from ..objectives.columns import Columns
from ..objectives.parts import Parts
from ..objectives.prepared import AskTargets, TargetUnits, prepared
from .online import Online
from .scaling import Scaling, centring, standardising
from .training import Training
from .units import Units

__all__ = ["PartsRows", "PartsTraining", "dtype_of"]

_FAR = 1e4  # deviations from zero: up to it, sums of squares tell the deviation of the targets
_SAFE = {4: 24, 8: 128}  # by bytes of an element: up to these powers of two, squares of columns keep their digits


def dtype_of(parts: Parts) -> np.dtype[Any]:
    """Return the dtype in which parts are computed with, which their targets have."""
    return arithmetic_dtype(parts.known.storage)


@dataclass(frozen=True)
class PartsRows:
    """Data in parts for an objective, in the place of `Rows`.

    Attributes
    ----------
    X : Parts
        The parts, with the numbers of classes as targets and with the weights of the losses.
    given : Parts
        The same rows with the weights from the user, and with weight 0 for rows that are held out.
    """

    X: Parts
    given: Parts
    y: None = None
    loss_weight: None = None
    offset: None = None

    def __len__(self) -> int:
        return self.X.known.n_samples

    def total(self) -> float:
        """Return the sum of the weights of the losses."""
        return self.X.known.weight_sum


@dataclass(frozen=True)
class PartsUnits(Units):
    """The units of a fit of data in parts. Columns stay in their units, as a scaling may change these."""

    of_targets: Columns | None = None

    def rows(self, rows: Any, *more: Any, **options: Any) -> Any:
        """Return rows in these units: parts, or the arrays of a validation set."""
        if not isinstance(rows, PartsRows):
            return super().rows(rows, *more, **options)
        if self.of_targets is None or (self.centre == 0.0 and self.target == 0):
            return rows
        change = TargetUnits(self.centre, self.target, self.of_targets)
        return dataclasses.replace(rows, X=prepared(rows.X, change, rows.given))


class PartsTraining(Training):
    """The settings and the loss of an estimator, for a fit of data in parts."""

    def _units(self, rows: Any, **options: bool) -> Units:
        dtype = dtype_of(rows.X)
        if not options["has_target_units"]:
            return PartsUnits(None, 0.0, 0, dtype, dtype)
        known = rows.X.known.targets
        found = Columns(known.sums[0], np.array([known.mean]), np.array([known.deviation]))
        if not known.deviation * _FAR > abs(known.mean):
            found = rows.X.engine.reduce(AskTargets())
        if not np.isfinite(found.deviation).all():
            raise ValueError(f"y must have a deviation within float64 in parts, got a mean of {known.mean:g}")
        units = Units.of_stream(found, dtype, options["centres"])
        return PartsUnits(None, units.centre, units.target, dtype, dtype, found)

    def _scaling(self, rows: Any, units: Units, online: Online, whole: bool, rescales: bool) -> Scaling | None:
        settings = self.settings
        if not (settings.standardize or whole):
            return None
        columns: Columns = rows.given.columns
        if settings.standardize:
            online.columns = columns
            scaling = standardising(columns, settings.fit_intercept)
        elif settings.fit_intercept and columns.are_far_from_zero():
            scaling = centring(columns, rescales)
        elif rescales and not rows.X.known.is_sparse and _are_extreme(columns, units.dtype):
            scaling = centring(dataclasses.replace(columns, mean=np.zeros_like(columns.mean)), True)
        else:
            return None
        if rows.X.known.is_sparse and scaling.loses_digits(units.dtype):
            raise ValueError(scaling.told_far(units.dtype))
        return scaling

    def _null_loss(self, rows: Any, units: Units) -> float:
        errors = {name: units.error(self.options[name], units.dtype) for name in self.loss.regressor_options or ()}
        model = self.loss(rows.X, intercept=self.settings.fit_intercept, **{**self.options, **errors})
        return model.value(model.constant_model() if self.settings.fit_intercept else np.zeros(model.n_parameters))


def _are_extreme(columns: Columns, dtype: np.dtype[Any]) -> bool:
    size = np.hypot(columns.mean, columns.deviation)
    return bool((np.abs(np.frexp(size[size > 0])[1]) > _SAFE[dtype.itemsize]).any())
