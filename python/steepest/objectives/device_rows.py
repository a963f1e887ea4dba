"""`DeviceRows`: rows in a device's memory as methods on the host see them. Passes run on the device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.device import backend
from ..arrays.interop import DeviceView
from .dense import DenseData
from .device_columns import check_there, device_statistics, gathered
from .device_held import DeviceHeld
from .device_softmax import native_softmax
from .held import native_objective
from .protocol import Capability
from .scaling import LARGEST_SHIFT
from .source import Terms

__all__ = ["DeviceRows"]

Vector = NDArray[np.float64]
_LARGEST_UNIT = {4: 2.0**100, 8: 2.0**900}  # of a scale and its inverse, by bytes: w / scale stays within the dtype
# Rough speeds, per second, of which only ratios matter: bytes of a pass on the device, bytes to the host, multiply-adds
# of the host's Hessian; and seconds that a pass takes beside.
_PASS, _COPY, _HESSIAN, _LAUNCH = 3e12, 2e10, 1.4e11, 1e-4
_HOST_BYTES = 1 << 30  # that all rows may take on the host for a Hessian


@dataclass(frozen=True, eq=False)
class DeviceRows(DeviceHeld):
    """Rows on a CUDA device, for methods whose parameters are NumPy arrays. `Data` describes the members.

    A pass copies the parameters to the device, and its sums, in float64, to the host. Some rows at a time may be copied
    to the host.
    """

    X: DeviceView

    @property
    def storage(self) -> str:
        return self.X.dtype

    @property
    def largest_unit(self) -> float:
        return _LARGEST_UNIT[self.dtype.itemsize]

    def supports(self, capability: Capability) -> bool:
        return capability in (Capability.STEPS, Capability.SAMPLE)

    def bind(self, terms: Terms) -> Any:
        passes = _Passes(self, terms)
        capabilities = [Capability.HESSIAN.value, Capability.COLUMN_STATISTICS.value]
        shape = self.n_samples, self.n_features, self.n_elements
        source = _core.parts_source(self.dtype.name, *shape, self.weight_sum, capabilities, passes.add_up)
        return native_objective(source, terms._replace(scaling=None))

    def measured_columns(self) -> tuple[Vector, Vector]:
        return device_statistics(self.X, self.given_weights)

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> DenseData:
        """Return a copy of some rows, in the host's memory."""
        index = np.asarray(index, np.int64)
        weights = None if self.given_weights is None else gathered(self.given_weights, index, "sample_weight")
        if weight_sum is None:
            weight_sum = float(len(index)) if weights is None else float(weights.sum(dtype=np.float64))
        y = gathered(self.given_targets, index, "y")
        return DenseData(gathered(self.X, index), y, weights, weight_sum)


class _Passes:
    """Adds up passes over rows on a device, for a source of the host.

    With a centre and a scale, the kernels read raw columns: parameters and sums are converted, as `scaling.hpp` does.
    """

    def __init__(self, rows: DeviceRows, terms: Terms) -> None:
        self._rows, self._terms, self._scaling = rows, terms, terms.scaling
        if self._scaling is not None:
            _check_range(*self._scaling, rows.dtype)
        X, y, weight = rows.X, rows.given_targets, rows.given_weights
        self._kept = {"X": X, "y": y, "sample_weight": weight}
        self._d, self._intercept, self._k = rows.n_features, terms.intercept, terms.n_scores
        pointers = y.pointer, 0 if weight is None else weight.pointer
        with_intercept = terms.intercept or self._scaling is not None
        if self._k > 1:
            plain = terms._replace(l1=0.0, l2=0.0)
            self._native = native_softmax(X, y, weight, rows.weight_sum, plain, with_intercept)
            return
        self._native = backend().Objective(
            terms.loss, X.dtype, X.pointer, *X.shape, X.c_contiguous, *pointers, rows.weight_sum, with_intercept, 0.0,
            0.0, X.device, X.stream, loss_parameters=dict(terms.loss_parameters),
        )  # fmt: skip

    def add_up(self, work: str, w: NDArray[Any], v: NDArray[Any] | None = None) -> Any:
        """Return the sums of a pass, which has a name of ``parts_source``."""
        for name, array in self._kept.items():
            check_there(name, array)
        if work == "hessian":
            return self._hessian(w)
        if v is None:
            loss, found = self._standardised(self._native.sums(self._raw(w)))
        else:
            loss, found = self._standardised(self._native.product_sums(self._raw(w), self._raw(v)))
        slopes, gradient = (np.ascontiguousarray(each) for each in (found[:, self._d], found[:, : self._d]))
        return self._rows.weight_sum, loss, slopes, gradient

    def _hessian(self, w: NDArray[Any]) -> Any:
        """Return the sums of the Hessian of all rows: of copies on the host if that costs less, else by products."""
        rows, k, p = self._rows, self._k, self._d + self._intercept
        if self._is_cheaper_on_the_host():
            own = rows.taken(np.arange(rows.n_samples), rows.weight_sum).bind(self._terms)
            row, block, values = own.hessian_sums(w)
            return row, block, values[: k * (k + 1) // 2 * block]
        matrix, unit, point = np.empty((k, p, k, p)), np.zeros(k * p, w.dtype), self._raw(w)
        for j in range(k * p):
            unit[j] = 1.0
            matrix[divmod(j, p)] = self._standardised(self._native.product_sums(point, self._raw(unit)))[1][:, :p]
            unit[j] = 0.0
        return p, p * p, np.concatenate([matrix[a, :, b].ravel() for a in range(k) for b in range(a + 1)])

    def _is_cheaper_on_the_host(self) -> bool:
        rows, p = self._rows, self._k * (self._d + self._intercept)
        size = rows.X.n_bytes
        on_host = size / _COPY + rows.n_samples * p * p / _HESSIAN
        return size <= _HOST_BYTES and on_host <= p * (size / _PASS + _LAUNCH)

    def _raw(self, w: NDArray[Any]) -> NDArray[Any]:
        """Return the parameters of the same scores over raw columns. The intercept is that of the rounded ones."""
        if self._scaling is None:
            return w
        centre, scale = self._scaling
        given, raw = w.reshape(self._k, -1), np.empty((self._k, self._d + 1), w.dtype)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            raw[:, :-1] = given[:, : self._d].astype(np.float64) / scale
            bias = given[:, self._d].astype(np.float64) if self._intercept else 0.0
            raw[:, -1] = bias - np.sum(centre * raw[:, :-1].astype(np.float64), axis=1)
        return raw.ravel()

    def _standardised(self, sums: Vector) -> tuple[float, Vector]:
        """Return the loss, and the sums of each score, the slopes last, over standardised columns."""
        table = sums[:-1].reshape(self._k, -1)
        if self._scaling is not None:
            centre, scale = self._scaling
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                table[:, : self._d] = (table[:, : self._d] - centre * table[:, self._d :]) / scale
        return float(sums[-1]), table


def _check_range(centre: Vector, scale: Vector, dtype: np.dtype[Any]) -> None:
    """Raise an error for a scaling by which sums over raw columns would lose too many digits."""
    shift, largest = LARGEST_SHIFT[dtype.itemsize], _LARGEST_UNIT[dtype.itemsize]
    with np.errstate(over="ignore"):
        away = math.sqrt(float(np.square(centre / scale).sum()))
    if not away <= shift or not (scale.max() <= largest and scale.min() >= 1.0 / largest):
        raise NotImplementedError(
            f"centre and scale must have a norm of centre / scale of at most {shift:,.0f} and scales from "
            f"{1.0 / largest:.0e} to {largest:.0e} for {dtype} on a CUDA device, got a norm of {away:.3g} and scales "
            f"from {scale.min():.3g} to {scale.max():.3g}; standardise the columns, or make the objective from arrays "
            "in the host's memory"
        )
