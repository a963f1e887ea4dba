"""`DataObjective`, the base of the losses: a loss bound to data in host memory or on a CUDA device."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_alpha, check_data, check_flag, check_fraction
from ..arrays.device import arithmetic_dtype, dtype_name
from ..arrays.device_checks import check_device_data
from ..arrays.hints import OF_OBJECTIVES, hinting
from ..arrays.interop import DeviceView, as_native, check_place, device_of, library_of, like
from .binding import native_class, weight_sum_of
from .protocol import Capability, Layout, Penalty
from .scaling import Vector, check_scaling

__all__ = ["Arrays", "DataObjective", "documented", "some_of"]

_ON_HOST = (Capability.CURVATURE, Capability.CONSTRAINT, Capability.STARTS, Capability.THREADS)


class Arrays(NamedTuple):
    """The arrays of an objective, not copied: NumPy arrays, or views of device memory."""

    X: Any
    y: Any
    sample_weight: Any


Loss = TypeVar("Loss", bound="DataObjective")


class DataObjective:
    """Weighted mean loss of the rows of X, plus the elastic-net penalty. This is the base of the losses.

    ::

        F(w) = sum_i s_i loss(x_i . w + b, y_i) / sum_i s_i
               + alpha (l1_ratio |w|_1 + (1 - l1_ratio) / 2 |w|^2)

    The intercept b is the last parameter, and is not penalised. The gradient and the Hessian leave out the L1 term:
    they belong to the smooth part, which is the loss and the squared penalty.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32, float64, float16 or bfloat16
        The data, C- or F-contiguous. The kernels read it in place; it is never copied. All arrays may belong to NumPy
        or to any library with DLPack or ``__cuda_array_interface__``, such as torch and CuPy. Results come back in the
        library of w. 16-bit data take half the memory of float32 and half the time to read; the other arrays and the
        arithmetic are then float32. For bfloat16, NumPy needs ml_dtypes or the dtype ``[("bfloat16", "<u2")]``.
    y : array of shape (n_samples,), the dtype of X, or float32 for 16-bit X
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

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, dtype, shape or memory layout, or a value out of range. The message names the
        argument, what was expected and what came.
    NotImplementedError
        A centre and a scale were given for X on a CUDA device.

    Notes
    -----
    A centre and a scale are usually applied to w and to the sums, not to the rows. Rounding errors are then about
    1 + norm(centre / scale) times those of standardised columns. If this factor is above 200 (float64: 100,000), and
    in the Hessian, the kernels standardise blocks of rows as they read them. This costs no digits, and takes up to
    three times as long.
    """

    _loss: ClassVar[str]
    constant_curvature: ClassVar[bool] = False
    """Whether the curvature is the same at every w."""
    _n_scores = 1  # per row
    _given_dtype: Any = None  # the dtype that X was converted from, if any
    is_conditioned = False
    """Whether columns and targets are known to be centred and scaled so that sums over them lose no digits."""

    @hinting(**OF_OBJECTIVES)
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
        """Return the native objective of a mini-batch of rows. The rows are copied.

        The sum of their losses is divided by their number times the mean weight of all rows. The mean over the batches
        of an epoch is then the whole objective, whatever the weights.
        """
        X, y, weight = self._data
        weight_sum = self._weight_sum * len(rows) / self.n_samples
        weight = None if weight is None else weight[rows]
        X = np.ascontiguousarray(X[rows])  # np.take would copy all of an F-ordered X
        return self._made(type(self.native), X, y[rows], weight, weight_sum)

    def __getstate__(self) -> dict[str, Any]:
        if self.device is not None:
            raise TypeError(
                "an objective on a CUDA device cannot be pickled; pickle an objective of arrays in the host's memory"
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
        # The native loop does not see a value_and_gradient that a subclass overrides.
        native = type(self).value_and_gradient is DataObjective.value_and_gradient
        if capability == Capability.BATCHES:
            return native and (self.device is not None or self.native.supports("rows_by_index"))
        if capability == Capability.SAMPLE:
            return native and self.device is None and self.native.supports("hessian")
        return capability in (Capability.DATA, Capability.HESSIAN)

    def sample(self, n: int, seed: int) -> Any:
        """Return the native objective of about n random rows, or of all rows if n is at least their number."""
        if n >= self.n_samples:
            return self.native
        return self.native_batch(some_of(self.n_samples, n, seed).astype(np.uint32))

    def gradient_norm(self, w: NDArray[Any], gradient: NDArray[Any]) -> float:
        """Return the norm of the gradient at w. With an L1 penalty, it is the norm of the smallest subgradient."""
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
        """The machine epsilon of the dtype in which the numbers were given."""
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
        """The numbers that are subtracted from the columns, as given."""
        return self._centre

    @property
    def scale(self) -> Any:
        """The numbers that the columns are divided by, as given."""
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
        """The layout of the parameters: the numbers of scores and columns, and whether there is an intercept."""
        return Layout(self._n_scores, self.n_features, self._intercept)

    @property
    def arrays(self) -> Arrays:
        """X, y and sample_weight as NumPy arrays, or as views of device memory."""
        return self._data

    @property
    def weight_sum(self) -> float:
        """The sum of the weights of the rows."""
        return self._weight_sum

    @property
    def scaling(self) -> tuple[Vector, Vector] | None:
        """Centre and scale of the columns as NumPy arrays, or None if there are none."""
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
        """Number of columns, plus 1 with an intercept. `Softmax` has this number for each class."""
        return self._n_scores * (self.n_features + self.intercept)

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """The shape of the parameters."""
        return (self.n_parameters,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters: the dtype of X, or float32 for 16-bit X."""
        return arithmetic_dtype(self._storage)

    @property
    def _storage(self) -> str:
        X = self._data[0]
        return X.dtype if isinstance(X, DeviceView) else dtype_name(X.dtype)

    @property
    def device(self) -> int | None:
        """The number of the CUDA device that holds the data, or None for host memory."""
        return device_of(self._data[0])

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
    """Return about ``rows`` random numbers below n, sorted and without repeats."""
    return np.unique(np.random.default_rng(seed).integers(0, n, rows))
