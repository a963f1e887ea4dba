"""`Bound`: an objective's data and its native objective, and others made of them: batches, samples, other units."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .protocol import Capability, missing
from .scaling import Vector
from .source import Data, Terms

__all__ = ["Arrays", "Bound", "some_of"]


class Arrays(NamedTuple):
    """The arrays of an objective, not copied: NumPy arrays, or views of device memory."""

    X: Any
    y: Any
    sample_weight: Any


class Bound:
    """What `DataObjective` does with its data. A subclass has ``terms``."""

    native: Any
    _data: Data
    _scaling: tuple[Vector, Vector] | None
    _given_dtype: Any = None  # the dtype that X was converted from, if any
    _offset: Any = None
    _row_offsets: NDArray[Any] | None = None  # of a loss of several scores, whose targets then number the rows
    _penalty_weight: Vector | None = None
    _weight_sum: float | None = None  # of data that have taken up an offset

    @property
    def terms(self) -> Terms:
        """All that the objective adds to its data."""
        raise NotImplementedError

    @property
    def data(self) -> Data:
        """The rows with their targets and weights."""
        return self._data

    def with_data(self, data: Data) -> Any:
        """Return the same objective over other data."""
        return self._with(**self._over(data))

    def _over(self, data: Any) -> dict[str, Any]:
        """Return the attributes of an objective over other data, which have taken up its offset already."""
        changed = {"_data": data, "_X": data.X, "_y": data.targets, "_sample_weight": data.weights}
        return changed if self._offset is None else {**changed, "_weight_sum": data.weight_sum}

    def with_scaling(self, centre: Vector, scale: Vector) -> Any:
        """Return the same objective over the columns (x_j - centre_j) / scale_j."""
        return self._with(_centre=centre, _scale=scale, _scaling=(centre, scale))

    def with_penalty(self, alpha: float, l1_ratio: float) -> Any:
        """Return the same objective with another ``alpha`` and ``l1_ratio``."""
        return self._with(_alpha=alpha, _l1_ratio=l1_ratio)

    def in_columns(self, columns: NDArray[np.intp]) -> Any:
        """Return the same objective over these columns alone, if it supports "fewer_columns"."""
        given: Any = self._data
        data, changed = given.in_columns(columns), dict[str, Any]()
        if self._scaling is not None:
            centre, scale = (each[columns] for each in self._scaling)
            changed = {"_centre": centre, "_scale": scale, "_scaling": (centre, scale)}
        if self._penalty_weight is not None:
            changed["_penalty_weight"] = self._penalty_weight[columns]
        return self._with(**self._over(data), **changed)

    def unpenalised_part(self) -> tuple[Any, NDArray[np.intp]] | None:
        """Return the objective over the columns whose penalty has the factor 0, without a penalty, and these columns.

        Columns are copied. Return None if there are none, or if the data cannot be had in fewer columns.
        """
        factors, data = self._penalty_weight, self._data
        columns = np.flatnonzero(factors == 0.0) if factors is not None else np.zeros(0, np.intp)
        if not len(columns) or not self._data.supports(Capability.ROWS):
            return None
        changed: dict[str, Any] = {"_alpha": 0.0, "_penalty_weight": None}
        if self._scaling is not None:
            centre, scale = (each[columns] for each in self._scaling)
            changed |= {"_centre": centre, "_scale": scale, "_scaling": (centre, scale)}
        part = data.of_columns(columns)
        return self._with(**self._over(part), **changed), columns

    def _with(self, **changed: Any) -> Any:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **changed)
        other.native = other._data.bind(other.terms)
        return other

    def native_batch(self, rows: NDArray[np.uint32]) -> Any:
        """Return the native objective of a mini-batch of rows. The rows are copied.

        The sum of their losses is divided by their number times the mean weight of all rows. The mean over the batches
        of an epoch is then the whole objective, whatever the weights.
        """
        return self.batch(rows).bind(self.terms)

    def batch(self, rows: NDArray[np.integer[Any]]) -> Data:
        """Return the data of a mini-batch of rows, with the weight_sum that `native_batch` describes."""
        return self._data.taken(rows, self._data.weight_sum * len(rows) / self.n_samples)

    def sample(self, n: int, seed: int, data: Data | None = None) -> Any:
        """Return the native objective of n random rows, or of all rows if n is at least their number.

        Rows that lie whole in memory are not copied. ``data`` is what `sample_data` returned, if it was called for them
        already.
        """
        if n >= self.n_samples:
            return self.native
        if data is not None:
            return data.bind(self.terms)
        rows = some_of(self.n_samples, n, seed)
        return self._data.bind_some(rows, self._data.weight_sum * len(rows) / self.n_samples, self.terms)

    def sample_data(self, n: int, seed: int) -> Data:
        """Return the data of the rows that `sample` takes."""
        return self._data if n >= self.n_samples else self.batch(some_of(self.n_samples, n, seed))

    def gradient_norm(self, w: NDArray[Any], gradient: NDArray[Any]) -> float:
        """Return the norm of the gradient at w. With an L1 penalty, it is the norm of the smallest subgradient."""
        return float(self.native.gradient_norm(w, gradient))

    @property
    def given_eps(self) -> float:
        """The machine epsilon of the dtype in which the numbers were given."""
        return float(np.finfo(self._given_dtype or self.dtype).eps)

    @property
    def arrays(self) -> Arrays:
        """X, y and sample_weight as NumPy arrays, or as views of device memory."""
        return Arrays(self._data.X, self.targets, self._data.weights)

    @property
    def targets(self) -> Any:
        """The targets as a NumPy array, if the objective supports "targets". They have taken up an offset."""
        return self._data.targets

    @property
    def weights(self) -> Any:
        """The weights of the rows as a NumPy array, or None, if the objective supports "targets"."""
        return self._data.weights

    def rows(self, index: Any, dtype: Any = np.float64, standardised: bool = True) -> NDArray[Any]:
        """Return some rows as a dense array of a dtype (None: their own), if the objective supports "rows".

        They are standardised if the objective has a centre and a scale, unless ``standardised`` is False. The index is
        a slice, row numbers or an array of bool. The result may be a view of X.
        """
        exact = self._data.rows(index)
        exact = exact if dtype is None else exact.astype(dtype, copy=False)
        if self._scaling is None or not standardised:
            return exact
        centre, scale = self._scaling
        return np.asarray((exact - centre) / scale)

    def column_statistics(self) -> tuple[Vector, Vector]:
        """Return mean and standard deviation of each column, standardised if the objective has a centre and a scale."""
        if self.device is not None and not self.native.supports(Capability.COLUMN_STATISTICS):
            remedy = "make the objective from arrays in the host's memory"
            raise missing(self, Capability.COLUMN_STATISTICS, "column_statistics", remedy)
        mean, deviation = self._data.column_statistics()
        if self._scaling is None:
            return mean, deviation
        centre, scale = self._scaling
        return (mean - centre) / scale, deviation / scale

    @property
    def weight_sum(self) -> float:
        """The sum of the weights of the rows."""
        return self._data.weight_sum

    @property
    def scaling(self) -> tuple[Vector, Vector] | None:
        """Centre and scale of the columns as NumPy arrays, or None if there are none."""
        return self._scaling

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self._data.n_samples

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self._data.n_features

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters: the dtype of X, or float32 if X has fewer bits."""
        return self._data.dtype

    @property
    def device(self) -> int | None:
        """The number of the CUDA device that holds the data, or None for host memory."""
        return self._data.device


def some_of(n: int, rows: int, seed: int) -> NDArray[np.int64]:
    """Return about ``rows`` random numbers below n, in order and without repeats: one from each of as many equal parts.

    Rows that follow each other are often alike. The parts then tell more of the data than rows drawn alone (Cochran,
    "Sampling Techniques", 1977, chapter 5).
    """
    places: NDArray[np.float64] = np.random.default_rng(seed).random(rows)
    places += np.arange(rows)
    places *= n / rows
    found = np.minimum(places.astype(np.int64), n - 1)
    return np.asarray(found[np.append(True, found[1:] > found[:-1])])
