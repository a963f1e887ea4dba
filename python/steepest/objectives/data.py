"""Objectives: a loss bound to data, evaluated by the native kernels, on the host or on a CUDA device."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_alpha, check_data, check_flag, check_fraction
from ..arrays.device import arithmetic_dtype, dtype_name
from ..arrays.device_checks import check_device_data
from ..arrays.interop import DeviceView, as_native, check_place, device_of, library_of, like
from .binding import native_class, weight_sum_of
from .protocol import Capability, Layout, Penalty
from .scaling import Vector, check_scaling

__all__ = ["Arrays", "DataObjective", "documented", "some_of"]

_ON_HOST = (Capability.CURVATURE, Capability.CONSTRAINT, Capability.STARTS, Capability.THREADS)


class Arrays(NamedTuple):
    """Rows of data where they lie: NumPy's arrays, or views of a device's memory."""

    X: Any
    y: Any
    sample_weight: Any


Loss = TypeVar("Loss", bound="DataObjective")


class DataObjective:
    """Mean weighted loss of the rows of X, plus the elastic-net penalty; the base of the losses.

    ::

        F(w) = sum_i s_i loss(x_i . w + b, y_i) / sum_i s_i
               + alpha (l1_ratio |w|_1 + (1 - l1_ratio) / 2 |w|^2)

    The intercept b is the last parameter and is not penalised. The gradient and the curvature are those of the smooth
    part: the loss and the squared penalty.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32, float64, float16 or bfloat16
        The data, C- or F-contiguous. It is used in place and never copied. This and all other arrays may be NumPy's or
        any other library's that has DLPack or ``__cuda_array_interface__``, such as torch and CuPy; results come back
        in the library of w. Data of 16 bits take half the memory of float32 and half its time to read; all else, and
        the arithmetic, is then float32. NumPy has bfloat16 by ml_dtypes, or as the dtype ``[("bfloat16", "<u2")]``.
    y : array of shape (n_samples,), the dtype of X, or float32 for X of 16 bits
        The targets.
    sample_weight : array of shape (n_samples,), the dtype of y, optional
        Weights of the rows, at least 0 and not all 0.
    intercept : bool
        Whether the last parameter is an intercept.
    alpha : float
        Strength of the penalty, at least 0.
    l1_ratio : float
        Share of the L1 norm in the penalty, 0 to 1.
    centre, scale : arrays of shape (n_features,), float64, optional
        Both or neither. With them all is that of the columns (x_j - centre_j) / scale_j: w, b, penalty, gradient and
        Hessian. X is neither copied nor changed. See `column_statistics` and `unscaled`.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, dtype, shape or memory layout, or with a value out of range; the message names
        the argument, what was expected and what came.
    NotImplementedError
        A centre and a scale with X on a CUDA device.

    Notes
    -----
    With a centre and a scale, rounding is that of standardised columns of X's dtype times about 1 + abs(centre /
    scale), a norm; where that is above 200 (float64: 100,000), and in the Hessian, blocks of rows are standardised as
    they are read, which costs no digits and takes up to three times as long.
    """

    _loss: ClassVar[str]
    constant_curvature: ClassVar[bool] = False
    """Whether the curvature is the same at every w."""
    _n_scores = 1  # of a row
    _given_dtype: Any = None  # of the numbers that X was made from, where that was another
    is_conditioned = False
    """Whether columns and targets are known to be in units, and about centres, that cost no digits."""

    def __init__(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        intercept: bool = True,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        centre: Any = None,
        scale: Any = None,
    ) -> None:
        self._X, self._y, self._sample_weight = X, y, sample_weight
        self._data = self._native_data()
        X, y, _ = self._data
        if isinstance(X, DeviceView):
            check_device_data(X, y)
        else:
            check_data(X, y, (library_of(self._X), library_of(self._y)))
        self._check_targets(y)
        self._intercept = check_flag("intercept", intercept)
        self._alpha = check_alpha(alpha)
        self._l1_ratio = check_fraction("l1_ratio", l1_ratio)
        self._centre, self._scale = centre, scale
        self._scaling = check_scaling(centre, scale, self.n_features)
        self._bind()

    def _native_data(self) -> Arrays:
        X, y, weight = self._X, self._y, self._sample_weight
        return Arrays(as_native("X", X), as_native("y", y), as_native("sample_weight", weight))

    def _bind(self) -> None:
        X, y, weight = self._data
        self._weight_sum = weight_sum_of(weight, X, library_of(self._sample_weight))
        self.native = self._made(native_class(X), X, y, weight, self._weight_sum)

    def _made(self, kind: Any, X: Any, y: Any, weight: Any, weight_sum: float) -> Any:
        l1, l2 = self.penalty.l1, self.penalty.l2
        scores = () if self._n_scores == 1 else (self._n_scores,)
        return kind(self._loss, X, y, weight, weight_sum, self._intercept, l1, l2, self._scaling, *scores)

    def native_batch(self, rows: NDArray[np.uint32]) -> Any:
        """Return the native objective of some rows, which are copied, with the gradient that a mini-batch of them has.

        Their losses are divided by the number of the rows times the mean weight of all rows, so that the mean over the
        batches of an epoch is the whole objective whatever the weights.
        """
        X, y, weight = self._data
        weight_sum = self._weight_sum * len(rows) / self.n_samples
        weight = None if weight is None else weight[rows]
        X = np.ascontiguousarray(X[rows])  # np.take would copy all of an F-ordered X
        return self._made(type(self.native), X, y[rows], weight, weight_sum)

    def __getstate__(self) -> dict[str, Any]:
        if self.device is not None:
            raise TypeError(
                "an objective on a CUDA device cannot be pickled; pickle one of arrays in the host's memory"
            )
        return {name: value for name, value in self.__dict__.items() if name not in ("native", "_data")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._data = self._native_data()
        self._bind()

    def supports(self, capability: Capability) -> bool:
        """Return whether the objective has a capability: see `Objective`."""
        if capability in _ON_HOST:
            return self.device is None
        # The native loop computes what the objective's own method does, unless a subclass has one of its own.
        native = type(self).value_and_gradient is DataObjective.value_and_gradient
        if capability is Capability.BATCHES:
            return native
        if capability is Capability.SAMPLE:
            return native and self.device is None
        return capability in (Capability.DATA, Capability.HESSIAN)

    def sample(self, n: int, seed: int) -> Any:
        """Return the native objective of about n random rows, that of all rows where n is no fewer."""
        if n >= self.n_samples:
            return self.native
        return self.native_batch(some_of(self.n_samples, n, seed).astype(np.uint32))

    def gradient_norm(self, w: NDArray[Any], gradient: NDArray[Any]) -> float:
        """Return the norm of the gradient at w, with an L1 penalty that of the smallest subgradient."""
        return float(self.native.gradient_norm(w, gradient))

    def loss_on(self, X: Any, y: Any, sample_weight: Any = None) -> DataObjective:
        """Return the same loss, without a penalty, on other data, with the same centre and scale."""
        loss: Any = next(c for c in type(self).__mro__ if "_loss" in c.__dict__)
        options = {"intercept": self._intercept, "centre": self._centre, "scale": self._scale}
        return loss(X, y, sample_weight=sample_weight, **options)  # type: ignore[no-any-return]

    def _check_targets(self, y: Any) -> None:
        pass

    @property
    def given_eps(self) -> float:
        """The unit in the last place of 1, of the numbers as they were given."""
        return float(np.finfo(self._given_dtype or self.dtype).eps)

    @property
    def X(self) -> Any:
        """The data, as given."""
        return self._X

    @property
    def y(self) -> Any:
        """The targets, as given."""
        return self._y

    @property
    def sample_weight(self) -> Any:
        """The weights of the rows, as given."""
        return self._sample_weight

    @property
    def intercept(self) -> bool:
        """Whether the last parameter is an intercept."""
        return self._intercept

    @property
    def alpha(self) -> float:
        """Strength of the penalty."""
        return self._alpha

    @property
    def l1_ratio(self) -> float:
        """Share of the L1 norm in the penalty."""
        return self._l1_ratio

    @property
    def centre(self) -> Any:
        """What is taken from the columns, as given."""
        return self._centre

    @property
    def scale(self) -> Any:
        """What the columns are divided by, as given."""
        return self._scale

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
        """How the parameters lie: scores, columns, and whether there is an intercept."""
        return Layout(self._n_scores, self.n_features, self._intercept)

    @property
    def arrays(self) -> Arrays:
        """X, y and sample_weight as NumPy's arrays, or as views of a device's memory."""
        return self._data

    @property
    def weight_sum(self) -> float:
        """The sum of the weights of the rows."""
        return self._weight_sum

    @property
    def scaling(self) -> tuple[Vector, Vector] | None:
        """Centre and scale of the columns as NumPy's arrays, None where there are none."""
        return self._scaling

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return int(self._data[0].shape[0])

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self._data[0].shape[1])

    @property
    def n_parameters(self) -> int:
        """Number of columns, and one for the intercept; so many for each class of `Softmax`."""
        return self._n_scores * (self.n_features + self.intercept)

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """The shape of the parameters."""
        return (self.n_parameters,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters: that of X, float32 for X of 16 bits."""
        return arithmetic_dtype(self._storage)

    @property
    def _storage(self) -> str:
        X = self._data[0]
        return X.dtype if isinstance(X, DeviceView) else dtype_name(X.dtype)

    @property
    def device(self) -> int | None:
        """The number of the CUDA device that the data are on, None for the host."""
        return device_of(self._data[0])

    def flat(self, name: str, array: Any) -> Any:
        """Return parameters as the native objective takes them: a vector where the arrays are, not copied."""
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

    def value_and_gradient(self, w: Any) -> tuple[float, Any]:
        """Return F(w) and the gradient of the smooth part in one pass over X."""
        value, gradient = self.native.value_and_gradient(self.flat("w", w))
        return value, self._like(gradient, w)

    def hessian_product(self, w: Any, v: Any) -> Any:
        """Return the Hessian of the smooth part at w times v, in one pass over X."""
        return self._like(self.native.hessian_product(self.flat("w", w), self.flat("v", v)), w)

    def hessian(self, w: Any) -> Any:
        """Return the Hessian of the smooth part, of shape (n_parameters, n_parameters)."""
        return like(self.native.hessian(self.flat("w", w)), w)

    def __repr__(self) -> str:
        penalty = f", alpha={self.alpha:g}, l1_ratio={self.l1_ratio:g}" if self.alpha else ""
        scaling = ", standardised" if self._scaling else ""
        return f"{type(self).__name__}({self.n_samples:,} x {self.n_features:,} {self._storage}{penalty}{scaling})"


def documented(loss: type[Loss]) -> type[Loss]:
    """Insert the formula and the sections that the losses share into the docstring of one, before its examples."""
    _, _, shared = inspect.cleandoc(DataObjective.__doc__ or "").partition("\n")
    own, heading, examples = inspect.cleandoc(loss.__doc__ or "").partition("Examples\n--------\n")
    loss.__doc__ = "\n\n".join((own.strip(), shared.strip(), heading + examples))
    return loss


def some_of(n: int, rows: int, seed: int) -> NDArray[np.int64]:
    """Return about so many of the numbers below n, in order."""
    return np.unique(np.random.default_rng(seed).integers(0, n, rows))
