"""`LinearModel`, the base of the estimators: it checks the data and stores the fitted attributes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays.hints import OF_FITS, hinting
from ..descent.result import Result
from ..extras import require
from ..objectives.data import DataObjective
from ..optimizers.runner import StopReason
from ..quasi_newton.optimizer import QuasiNewton
from .chunk import steps_over
from .coefficients import DTYPES, Coefficients
from .columns import validated, validated_weight
from .conversion import naming_faults
from .device_predictions import refuse_there
from .features import Features, cast, checked
from .frames import FrameNames, encoded
from .offsets import beside_offsets
from .online import Online
from .page import Page
from .parts import fit_parts
from .penalties import column_factors
from .predictions import in_parts
from .present import Present, run_of_one
from .rows import Parameters, Rows
from .settings import FitSettings, Saved
from .targets import check_width, width_of_targets
from .training import Training

__all__ = ["LinearModel", "available_if", "takes_steps"]

_base = require("sklearn.base", "sklearn")
BaseEstimator: Any = _base.BaseEstimator
is_regressor: Any = _base.is_regressor
RegressorMixin: Any = _base.RegressorMixin
validation = require("sklearn.utils.validation", "sklearn")
_Method = TypeVar("_Method", bound=Callable[..., Any])
available_if: Callable[[Callable[[Any], bool]], Callable[[_Method], _Method]]
available_if = require("sklearn.utils.metaestimators", "sklearn").available_if
check_random_state = require("sklearn.utils", "sklearn").check_random_state

Array = NDArray[Any]


def takes_steps(estimator: Any) -> bool:
    """Return True if an estimator has `partial_fit`.

    Raises
    ------
    AttributeError
        The estimator has no `partial_fit`, as its optimizer needs all rows at once.
    """
    optimizer = estimator.optimizer
    if isinstance(optimizer, QuasiNewton) or (isinstance(optimizer, str) and optimizer == "quasi-newton"):
        raise AttributeError(f"optimizer must be one that takes steps for partial_fit, got {optimizer!r}")
    return True


class LinearModel(Coefficients, Page, FrameNames, BaseEstimator):  # type: ignore[misc]
    """The base of the estimators. A subclass defines the targets and the loss."""

    converged_: Any
    diagnosis_: Any
    _stratify = False

    @classmethod
    def _get_param_names(cls) -> list[str]:
        model: Any = cls
        return list(_names_of_parameters(model, model.__init__))

    def _keep(self, parameters: dict[str, Any]) -> None:
        """Store the arguments of ``__init__`` under their names, where scikit-learn's `get_params` reads them."""
        for name in self._get_param_names():
            setattr(self, name, parameters[name])

    def _checked_targets(self, y: Array, sample_weight: Array | None, dtype: Any) -> Array:
        """Return the targets of a first fit, as the loss takes them."""
        raise NotImplementedError

    def _more_targets(self, y: Any, dtype: Any) -> Array:
        """Return further targets, as the loss takes them. They must be like those of the fit."""
        raise NotImplementedError

    def _loss_weight(self, y: Array, sample_weight: Array | None) -> Array | None:
        return sample_weight

    def _loss(self) -> tuple[type[DataObjective], int, dict[str, Any]]:
        """Return the class of the loss, the number of scores per row, and further arguments of the loss."""
        raise NotImplementedError

    def _present(self, settings: FitSettings, rows: Rows) -> Present | None:
        """Return the classes that have a weight, if the fit has to leave out others. Else return None."""
        return None

    def _store(self, parameters: Parameters, dtype: Any) -> None:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags. X may be sparse."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @hinting(**OF_FITS)
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        *,
        offset: Any = None,
        offset_val: Any = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_seconds: float = 60.0,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The training data. float32 and float64 are read in place: arrays in C or F order, and CSR matrices. All else
            is converted, and numbers of any other dtype, such as integers and float16, to float64: the coefficients are
            then float64 too. The losses read smaller dtypes in place, see `Logistic`.
            X may also be data in parts, such as a `Stream`. Passes then ask one part after the other, and nothing
            gathers the rows. ``coef_`` has the dtype that the passes over the parts compute with.
        y : array-like of shape (n_samples,), or (n_samples, n_targets) for a `LinearRegressor`
            The targets. Data in parts have their own.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, at least 0 and not all 0. A weight of k means the same as k copies of the row. Data in
            parts have their own.
        X_val, y_val : array-like of shapes (n, n_features) and (n,), optional
            A validation set. The history has its loss, and the fit keeps the parameters with the lowest one. With
            ``early_stopping`` this loss ends the fit. Without a validation set, ``early_stopping`` holds out rows of X.
            With X in parts, X_val may be in parts, without y_val.
        offset : array-like of shape (n_samples,), optional
            Numbers that are added to the scores x . w + b, and have no coefficient. For ``loss="poisson"`` they are the
            logarithms of the exposures. The methods that predict then need the offsets of their rows. With more than
            two classes, the shape is (n_samples, n_classes). X in parts takes none.
        offset_val : array-like of shape (n,) or (n, n_classes), optional
            The offsets of X_val, if there are offsets of X.
        checkpoint : str or PathLike, optional
            The path of a file that saves the fit. If there is one, the fit goes on from it, and ends with the bits of a
            fit that was never interrupted. See `minimize`, whose rules hold. A fit that needs no steps, as for a single
            class with a weight, writes nothing.
        checkpoint_seconds : float
            The time after which the file is written anew.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            scikit-learn's checks or the objective refuse the data, or a parameter has the wrong type or range.
        KeyboardInterrupt
            Ctrl-C ended the fit. The parameters that it had reached are kept.

        Warns
        -----
        ConvergenceWarning
            The fit diverged, does not converge, did not reach ``tol`` within ``max_iter``, or stopped because of
            rounding. Or there is no minimum, as for separable classes without a penalty.
        """
        with self._unchanged_by_errors():
            self._fit(X, y, sample_weight, X_val, y_val, (offset, offset_val), Saved(checkpoint, checkpoint_seconds))
        self._raise_if_interrupted()
        return self

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, offsets: tuple[Any, Any], saved: Saved
    ) -> None:
        self._has_offset = offsets[0] is not None
        if in_parts(X):
            if any(each is not None for each in offsets):
                raise NotImplementedError("offset must be None for X in parts, got numbers; give the rows as arrays")
            return fit_parts(self, X, y, sample_weight, X_val, y_val, saved)
        settings = FitSettings.of(self)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together or not at all, got only one of them")
        previous = self._previous() if settings.warm_start else None  # before the checks set attributes
        X, y, sample_weight = self._checked_data(X, y, sample_weight, reset=True, several=True)
        settings = self._with_factors(settings)
        if y.ndim == 2:
            if any(each is not None for each in offsets):
                raise NotImplementedError("offset must be None for y of several targets, got one; fit a model for each")
            return self._fit_several(settings, X, y, sample_weight, (X_val, y_val), saved)
        y = self._checked_targets(y, sample_weight, X.dtype)
        rows, held_out = self._rows(X, y, sample_weight), None
        if X_val is not None:
            held_out = self._validation_rows(X_val, y_val, X.dtype)
        rows, held_out = beside_offsets(self, rows, held_out, offsets)
        start = None if previous is None else self._checked_start(*previous)
        result, parameters, self._online = self._run(settings, rows, held_out, start, saved)
        self._store(parameters, X.dtype)
        self.n_iter_ = result.n_epochs
        self._keep_outcome(result)

    def _fit_several(
        self, settings: FitSettings, X: Features, y: Array, sample_weight: Array | None, held_out: Any, saved: Saved
    ) -> None:
        """Fit the model to the targets in the columns of y. Only a regressor has several."""
        raise NotImplementedError

    def _run(
        self, settings: FitSettings, rows: Rows, held_out: Rows | None, start: Parameters | None, saved: Saved
    ) -> tuple[Result, Parameters, Online]:
        """Minimise over the classes that have a weight. Return parameters of all classes."""
        present = self._present(settings, rows)
        if present is not None:
            rows, held_out = present.rows(rows), None if held_out is None else present.validation_rows(held_out)
            if len(present.places) == 1:
                parameters = present.parameters_of_one(rows.X.shape[1])
                return run_of_one(held_out is not None), parameters, Online(weight=rows.total())
            start = present.start(start)
        random = check_random_state(self.random_state)
        if held_out is None and settings.early_stopping:
            self._check_split(saved)
            if not self._stratify and (n := _n_weighted(rows)) < 2:
                raise ValueError(f"early_stopping holds out rows: expected at least two with a weight, got {n} row(s)")
            rows, held_out = rows.hold_out(settings.validation_fraction, self._stratify, random)
        seed = self._seed(settings, random, saved)
        training = self._training(settings) if present is None else Training(settings, *present.loss())
        result, parameters, online = training.fit(rows, held_out, start, seed, saved)
        return result, parameters if present is None else present.parameters(parameters), online

    def _seed(self, settings: FitSettings, random: Any, saved: Saved) -> int | None:
        """Return the seed of the orders of rows; None if it is drawn for a new checkpoint, or that of an old one."""
        if settings.batch_size is None:
            return 0  # full-batch steps need no random order
        seed = _seed(random)
        return None if saved.checkpoint is not None and self.random_state is None else seed

    def _check_split(self, saved: Saved) -> None:
        """Raise a ValueError if a resumed fit would hold out other rows."""
        if saved.checkpoint is not None and self.random_state is None:
            raise ValueError(
                "random_state must be an integer for a checkpoint of a fit with early_stopping, which holds out the "
                "same rows again, got None; or give X_val and y_val"
            )

    def _go_on(self, X: Any, y: Any, sample_weight: Any, first: bool) -> None:
        """Take the steps of one epoch over X and y, from the parameters of the last call or fit."""
        settings = FitSettings.of(self)
        if settings.positive:
            raise ValueError("positive must be False for partial_fit, whose steps are not projected, got True; use fit")
        if getattr(self, "_has_offset", False) and not first:
            raise ValueError("partial_fit takes no offset, but the model was fitted with one; use fit")
        fresh = first or not hasattr(self, "n_features_in_")  # a user may have set the coefficients
        X, y, sample_weight = self._checked_data(X, y, sample_weight, reset=fresh)
        before = None if first else getattr(self.coef_, "dtype", None)
        settings = self._with_factors(settings)
        dtype = before if before in DTYPES else X.dtype
        X, y = cast("X", X, dtype), self._more_targets(y, dtype)
        sample_weight = None if sample_weight is None else sample_weight.astype(dtype, copy=False)
        online = Online() if first else getattr(self, "_online", Online())
        start = None if first else self._checked_start(*self._parameters_and_classes())
        seed = _seed(check_random_state(self.random_state))
        rows = self._rows(X, y, sample_weight)
        result, parameters, online = steps_over(self._training(settings), rows, online, start, seed)
        self._store(parameters, X.dtype)
        online.stored = self._parameters_and_classes()[0]
        self.n_iter_ = result.n_epochs + (0 if first else getattr(self, "n_iter_", 0))
        self._online = online
        self._keep_outcome(result)

    def _keep_outcome(self, result: Result) -> None:
        self.history_, self.stop_reason_ = result.history, result.stop_reason
        self.converged_, self.diagnosis_ = result.converged, str(result.diagnosis)

    @contextlib.contextmanager
    def _unchanged_by_errors(self) -> Iterator[None]:
        """Restore all attributes if an error ends the block. NumPy does not warn of overflow: the result tells it."""
        before = dict(self.__dict__)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _raise_if_interrupted(self) -> None:
        """Raise the KeyboardInterrupt that ended a fit. By now its parameters are stored."""
        if self.stop_reason_ == StopReason.INTERRUPTED:
            raise KeyboardInterrupt

    def _with_factors(self, settings: FitSettings) -> FitSettings:
        """Return the settings with the factors of the penalties as an array, now that the columns are known."""
        given = settings.penalty_weight
        return settings if given is None else dataclasses.replace(settings, penalty_weight=column_factors(self))

    def _training(self, settings: FitSettings) -> Training:
        return Training(settings, *self._loss())

    def _fitted_settings(self) -> FitSettings:
        """Return the settings that the coefficients are those of."""
        return FitSettings.of(self)

    def _checked_data(
        self, X: Any, y: Any, sample_weight: Any, reset: bool, several: bool = False
    ) -> tuple[Features, Array, Array | None]:
        """Return checked rows. With ``several``, a regressor's y may be a table with a column for each target."""
        refuse_there(self, X=X, y=y, sample_weight=sample_weight)
        X = encoded(self, X, reset)
        numeric = isinstance(self, RegressorMixin)  # whose tags take long
        options = {"accept_sparse": "csr", "dtype": DTYPES, "y_numeric": numeric, "ensure_all_finite": False}
        if (width := width_of_targets(y)) is not None:
            check_width(self, width, several and numeric)
            options["multi_output"] = several and numeric
        with naming_faults(X, y if numeric else None):
            X, y = validated(self, X, y, reset=reset, **options)
            X = checked(X, type(self).__name__)
            if y.ndim == 2:  # infinity among objects is left
                validation.assert_all_finite(y, input_name="y")
        if sample_weight is not None:
            try:
                sample_weight = validated_weight(sample_weight, X)
            except OverflowError as error:
                raise ValueError(f"sample_weight must hold numbers within {X.dtype}: {error}") from None
            if (least := sample_weight.min()) < 0:
                raise ValueError(f"sample_weight must be at least 0, got {least:g}")
        return X, y, sample_weight

    def _rows(self, X: Features, y: Array, sample_weight: Array | None) -> Rows:
        return Rows(X, y, sample_weight, self._loss_weight(y, sample_weight))

    def _validation_rows(self, X: Any, y: Any, dtype: Any) -> Rows:
        try:
            X, y, _ = self._checked_data(X, y, None, reset=False)
            y = self._more_targets(y, dtype)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"X_val and y_val must be like X and y: {error}") from error
        return self._rows(cast("X_val", X, dtype), y, None)


@functools.lru_cache(maxsize=64)
def _names_of_parameters(model: Any, initialiser: Any) -> tuple[str, ...]:
    """Return the names of the arguments of a class's ``__init__``, as scikit-learn finds them, which takes long."""
    return tuple(BaseEstimator._get_param_names.__func__(model))


def _seed(random: Any) -> int:
    return int(random.randint(np.iinfo(np.int32).max))


def _n_weighted(rows: Rows) -> int:
    return len(rows.y) if rows.sample_weight is None else int(np.count_nonzero(rows.sample_weight))
