"""`DataObjective`, the base of the losses: a loss bound to data in host memory or on a CUDA device."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import STORED, check_alpha, check_flag, check_fraction
from ..arrays.hints import OF_OBJECTIVES, hinting
from ..arrays.interop import as_native, check_place, library_of, like, note_change
from .binding import data_of
from .bound import Arrays, Bound, some_of
from .given import Given
from .loss import Loss
from .offset import taken_up
from .penalty_weight import check_penalty_weight
from .protocol import NAMES_OF_LOSSES, Capability, Layout, Penalty
from .scaling import check_scaling
from .source import Terms

__all__ = ["LOSSES", "Arrays", "DataObjective", "registered", "some_of"]

_ON_HOST = frozenset((Capability.CURVATURE, Capability.CONSTRAINT, Capability.STARTS, Capability.THREADS))
_ALWAYS = frozenset((Capability.DATA, Capability.HESSIAN_PRODUCT))
_OF_DATA = frozenset(
    (
        Capability.BUFFERS,
        Capability.ROWS,
        Capability.TARGETS,
        Capability.STEPS,
        Capability.COLUMN_RANGES,
        Capability.ENTRIES,
        Capability.DIGESTS,
        Capability.FEWER_COLUMNS,
        Capability.COLUMNS,
    )
)
_OF_NATIVE = frozenset(_core.capabilities)


Kind = TypeVar("Kind", bound="DataObjective")
LOSSES: dict[str, type[DataObjective]] = {}
"""The losses by the name that the native code gives them, in the order in which they are defined."""


class DataObjective(Given, Bound, Loss):
    """Weighted mean loss of the rows of X, plus the elastic-net penalty. This is the base of the losses.

    ::

        F(w) = sum_i s_i loss(x_i . w + b + offset_i, y_i) / sum_i s_i
               + alpha sum_j penalty_weight_j (l1_ratio |w_j| + (1 - l1_ratio) / 2 w_j^2)

    The intercept b is the last parameter, and is not penalised. The gradient and the Hessian leave out the L1 term:
    they belong to the smooth part, which is the loss and the squared penalty.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), {storages}
        The data, C- or F-contiguous. The kernels read it in place; it is never copied. All arrays may belong to NumPy
        or to any library with DLPack or ``__cuda_array_interface__``, such as torch and CuPy. Results come back in the
        library of w. Dtypes of 16 bits take half the memory of float32 and half the time to read, those of 8 bits a
        quarter; the other arrays and the arithmetic are then float32. For bfloat16, NumPy needs ml_dtypes or the dtype
        ``[("bfloat16", "<u2")]``.
        X may also be a CSR matrix: of SciPy, or any object with ``data``, ``indices``, ``indptr`` and ``shape``, with
        values of float16, bfloat16, float32 or float64, and int32 or int64 indices in any order. Entries of the same
        column in a row are added. A pass costs the entries, and takes at most 8 bytes a column and 34 bytes a row
        beside X, for each score. Or X may be a `Table`, whose categorical columns are codes.
    y : array of shape (n_samples,), the dtype of X, or float32 if X has fewer bits
        The targets.
    sample_weight : array of shape (n_samples,), the dtype of y, optional
        Weights of the rows, at least 0 and not all 0. By default they are ones.
    intercept : bool
        Whether the last parameter is an intercept.
    alpha : float
        Strength of the penalty, at least 0.
    l1_ratio : float
        Share of the L1 norm in the penalty, 0 to 1.
    centre, scale : arrays of shape (n_features,), float64, optional
        Give both or neither. With them, the model reads the columns (x_j - centre_j) / scale_j, and w, b, the penalty,
        the gradient and the Hessian all belong to these columns. X is neither copied nor changed. See
        `column_statistics` and `unscaled`.
    offset : array of shape (n_samples,), the dtype of y, optional
        Numbers that are added to the scores of the rows, and have no parameter: with `Poisson`, the logarithms of the
        exposures. By default they are zeros. `Softmax` takes an array of shape (n_samples, n_classes), with a number
        for each score. The objective keeps a copy of y with the offsets. X in parts and sparse rows on a CUDA device
        take none, nor does `Softmax` on one. On a device, the offsets lie there, and the host makes that copy.
        With `Logistic`, an offset is rounded by one unit in the last place. With `Poisson`, exp(offset) and
        y exp(-offset) must be normal numbers of the dtype.
    penalty_weight : array of shape (n_features,), optional
        Factors of the penalty of each column, at least 0; by default ones. A column of factor 0 is not penalised. A
        column of factor infinity is left out: its coefficient is 0, and stays so in every method. It then has neither a
        slope nor curvature, like a column of zeros, and the value is infinite where the coefficient is not 0.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, dtype, shape or memory layout, or a value out of range. The message names the
        argument, what was expected and what came.
    NotImplementedError
        An offset was given for X in parts, or an offset, a centre and a scale or a penalty_weight for sparse rows on a
        CUDA device. The norm of centre / scale is above 200 (float64: 100,000) on a CUDA device.

    Notes
    -----
    A centre and a scale are usually applied to w and to the sums, not to the rows. Rounding errors are then about
    1 + norm(centre / scale) times those of standardised columns. If this factor is above 200 (float64: 100,000), and
    in the Hessian, the kernels standardise blocks of rows as they read them. This costs no digits, and takes up to
    three times as long.
    """

    _n_scores = 1  # per row
    _constant = 0.0  # added to the mean loss
    is_conditioned = False
    """Whether columns and targets are known to be centred and scaled so that sums over them lose no digits."""

    @hinting(**OF_OBJECTIVES)
    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        intercept: bool = True,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        centre: Any = None,
        scale: Any = None,
        offset: Any = None,
        penalty_weight: Any = None,
    ) -> None:
        self._X, self._y, self._sample_weight = X, y, sample_weight
        self._data = data_of(X, y, sample_weight)
        if not self.is_of_classes and getattr(self._data.X, "classes", None) is not None:
            raise TypeError(
                f"y must hold numbers for {type(self).__name__}, got text, whose codes are those of classes"
            )
        self._data.check_targets(self._check_targets)
        self._intercept = check_flag("intercept", intercept)
        self._alpha = check_alpha(alpha)
        self._l1_ratio = check_fraction("l1_ratio", l1_ratio)
        self._centre, self._scale = centre, scale
        self._scaling = check_scaling(centre, scale, self.n_features)
        self._penalty_weight = check_penalty_weight(penalty_weight, self.n_features)
        if offset is not None:
            self._offset = offset
            self._take_up_offset()
        self.native = self._data.bind(self.terms)

    def _take_up_offset(self) -> None:
        """Give the data targets and weights with which the native loss makes those of the scores with their offset."""
        self._data, self._constant = taken_up(self, self._data, self._offset)

    @property
    def terms(self) -> Terms:
        """All that the objective adds to its data."""
        penalty, n_scores, parameters = self.penalty, self._n_scores, self._loss_parameters
        more = self._scaling, self._constant, self._penalty_weight, self._row_offsets
        loss = self._native_loss
        return Terms(loss, self._intercept, penalty.l1, penalty.l2, n_scores, parameters, *more)

    @property
    def _native_loss(self) -> str:
        """The name of the native loss."""
        return self._loss

    @property
    def _loss_parameters(self) -> dict[str, float]:
        """The parameters of the loss, by the names that the class and the native objective take."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        if self.device is not None:
            raise TypeError(
                "an objective on a CUDA device cannot be pickled; pickle an objective of arrays in the host's memory"
            )
        return {name: value for name, value in self.__dict__.items() if name not in ("native", "_data")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._data = data_of(self._X, self._y, self._sample_weight)
        if self._weight_sum is not None:
            self._data = dataclasses.replace(self._data, weight_sum=self._weight_sum)  # type: ignore[type-var]
        elif self._offset is not None:
            self._take_up_offset()
        self.native = self._data.bind(self.terms)

    def supports(self, capability: Capability) -> bool:
        """Return whether the objective has a capability: see `Objective`."""
        if capability in _ON_HOST:
            return self.device is None or bool(self.native.supports(capability))
        if capability in _ALWAYS:
            return True
        if type(self).value_and_gradient is not DataObjective.value_and_gradient:
            return False  # what follows would not see a value_and_gradient that a subclass overrides
        if capability == Capability.SAMPLE:
            rows = self.supports(Capability.BATCHES) or self._data.supports(Capability.SAMPLE)
            return self.device is None and rows
        if capability in _OF_DATA:
            return self._data.supports(capability)
        return capability in _OF_NATIVE and bool(self.native.supports(capability))

    def loss_on(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> DataObjective:
        """Return the same loss, without a penalty, on other data, with the same centre and scale."""
        loss: Any = next(c for c in type(self).__mro__ if "_loss" in c.__dict__)
        options = {"intercept": self._intercept, "centre": self._centre, "scale": self._scale, **self._loss_parameters}
        if offset is not None:
            options["offset"] = offset
        return loss(X, y, sample_weight=sample_weight, **options)  # type: ignore[no-any-return]

    def _check_targets(self, y: Any) -> None:
        self.check_targets(y)

    def constant_model(self) -> NDArray[Any]:
        """Return the parameters of the best model without coefficients; zeros without an intercept."""
        w = np.zeros(self.n_parameters, self.dtype)
        if self._intercept:
            w.reshape(self._n_scores, -1)[:, -1] = self.best_constant()
        return w

    @property
    def loss(self) -> str:
        """The name of the loss."""
        return self._loss

    @property
    def penalty(self) -> Penalty:
        """The penalty, as alpha and l1_ratio."""
        return Penalty(self._alpha, self._l1_ratio)

    @property
    def layout(self) -> Layout:
        """The layout of the parameters: the numbers of scores and columns, and whether there is an intercept."""
        return Layout(self._n_scores, self.n_features, self._intercept)

    @property
    def n_parameters(self) -> int:
        """Number of columns, plus 1 with an intercept. `Softmax` has this number for each class."""
        return self._n_scores * (self.n_features + self.intercept)

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """The shape of the parameters."""
        return (self.n_parameters,)

    def flat(self, name: str, array: Any) -> Any:
        """Return parameters as the vector that the native objective takes, in the memory of the data, not copied."""
        if type(array) is np.ndarray and self.device is None:
            return array
        array = as_native(name, array)
        check_place(name, array, self.device, library_of(self._X))
        return array

    def _like(self, result: Any, w: Any) -> Any:
        return like(result, w)

    def value(self, w: Any) -> float:
        """Return F(w), for w of shape (n_parameters,) and the objective's dtype."""
        return float(self.native.value(self.flat("w", w)))

    def gradient(self, w: Any) -> Any:
        """Return the gradient of the smooth part, of the shape, dtype and library of w."""
        return self._like(self.native.value_and_gradient(self.flat("w", w))[1], w)

    def value_and_gradient(self, w: Any, out: Any = None) -> tuple[float, Any]:
        """Return F(w) and the gradient of the smooth part in one pass over X.

        Parameters
        ----------
        w : array of shape (n_parameters,), the objective's dtype
            The parameters.
        out : array of the shape and dtype of w, optional
            Memory for the gradient, for data on a CUDA device only: contiguous, writeable, on that device. It must
            overlap neither w nor the data. Without it, the gradient is in new memory, or in that of an earlier one that
            is not used any more.

        Returns
        -------
        value : float
            F(w), with the L1 part of the penalty.
        gradient : array of the shape, dtype and library of w, or ``out``

        Raises
        ------
        TypeError, ValueError
            An array has the wrong type, dtype, shape or layout, is in another memory than the data, or overlaps them.
        NotImplementedError
            ``out`` was given for data in the host's memory.

        Examples
        --------
        >>> import numpy as np
        >>> import steepest as st
        >>> objective = st.LeastSquares(np.eye(2), np.array([3.0, -1.0]), intercept=False)
        >>> objective.value_and_gradient(np.zeros(2))
        (5.0, array([-3.,  1.]))
        """
        if out is not None:
            return self._value_and_gradient_into(w, out), out
        value, gradient = self.native.value_and_gradient(self.flat("w", w))
        return value, self._like(gradient, w)

    def _value_and_gradient_into(self, w: Any, out: Any) -> float:
        if self.device is None:
            raise NotImplementedError(
                "out is implemented for data on a CUDA device only; leave it out, and the gradient is a new array"
            )
        value = float(self.native.value_and_gradient_into(self.flat("w", w), self.flat("out", out)))
        note_change(out)
        return value

    def hessian_product(self, w: Any, v: Any) -> Any:
        """Return the Hessian of the smooth part at w times v, in one pass over X."""
        return self._like(self.native.hessian_product(self.flat("w", w), self.flat("v", v)), w)

    def hessian(self, w: Any) -> Any:
        """Return the Hessian of the smooth part, of shape (n_parameters, n_parameters)."""
        point = self.flat("w", w)
        if self.device is not None or self.native.supports(Capability.HESSIAN):
            return like(self.native.hessian(point), w)
        units = np.eye(self.n_parameters, dtype=self.dtype)
        return like(np.stack([self.native.hessian_product(point, unit) for unit in units], axis=1), w)

    def __repr__(self) -> str:
        penalty = f", alpha={self.alpha:g}, l1_ratio={self.l1_ratio:g}" if self.alpha else ""
        parameters = "".join(f", {name}={value:g}" for name, value in self._loss_parameters.items())
        scaling = ", standardised" if self._scaling else ""
        scaling += ", with offset" * (self._offset is not None) + ", penalty_weight" * (
            self._penalty_weight is not None
        )
        shape = f"{self.n_samples:,} x {self.n_features:,} {self._data.storage}"
        return f"{type(self).__name__}({shape}{parameters}{penalty}{scaling})"


DataObjective.__doc__ = (DataObjective.__doc__ or "").replace("{storages}", STORED)


def registered(loss: type[Kind]) -> type[Kind]:
    """Add a class to the losses. Its docstring gets the sections that they share, before its examples."""
    LOSSES[loss._loss] = loss
    NAMES_OF_LOSSES.append(loss.__name__)
    _, _, shared = inspect.cleandoc(DataObjective.__doc__ or "").partition("\n")
    own, heading, examples = inspect.cleandoc(loss.__doc__ or "").partition("Examples\n--------\n")
    loss.__doc__ = "\n\n".join((own.strip(), shared.strip(), heading + examples))
    return loss
