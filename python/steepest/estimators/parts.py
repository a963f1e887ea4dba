"""Fits of data in parts. No pass gathers the rows: the parts answer, and their answers are added up."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..descent.result import Result
from ..extras import require
from ..objectives.parts import Parts
from ..objectives.prepared import HeldOut, LabelNumbers, prepared
from .frames import encoded
from .labels import class_factors, classes_of
from .online import Online
from .parts_training import PartsRows, PartsTraining, dtype_of
from .penalties import column_factors
from .predictions import in_parts, parts_of
from .present import Present, run_of_one
from .rows import Parameters
from .settings import FitSettings, Saved

__all__ = ["fit_parts"]

Vector = NDArray[np.float64]
_CLASSES = 1024  # so many different targets their facts keep

is_classifier: Any = require("sklearn.base", "sklearn").is_classifier
check_random_state: Any = require("sklearn.utils", "sklearn").check_random_state


@dataclass(frozen=True)
class _Targets:
    """How the targets of parts become those of a loss. The targets of a regressor have no labels, and stay.

    Attributes
    ----------
    labels : array of float64, or None
        The different targets, sorted, in the order of the classes.
    factors : array of float64, or None
        The factor of the weights for each class.
    """

    labels: Vector | None = None
    factors: Vector | None = None

    def totals(self, given: Parts) -> Vector:
        """Return the weight of the losses of each class."""
        assert self.labels is not None
        known, totals = given.known.targets, np.zeros(len(self.labels))
        totals[np.searchsorted(self.labels, known.values)] = known.totals
        return totals if self.factors is None else totals * self.factors

    def rows(self, given: Parts, places: NDArray[np.intp] | None) -> Any:
        """Return `PartsRows` with targets as the loss takes them. With places, it has these classes only."""
        if self.labels is None:
            return PartsRows(given, given)
        places = np.arange(len(self.labels)) if places is None else places
        numbers = np.zeros(len(self.labels))
        numbers[places] = np.arange(len(places))
        if self.factors is None and np.array_equal(numbers, self.labels):
            return PartsRows(given, given)
        return PartsRows(prepared(given, LabelNumbers(self.labels, numbers, self.factors), given), given)


def fit_parts(model: Any, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, saved: Saved) -> None:
    """Fit a model to data in parts, as `LinearModel.fit` fits one to arrays."""
    settings, parts = FitSettings.of(model), parts_of(X)
    parts.check_target()
    for name, each in (("y", y), ("sample_weight", sample_weight)):
        if each is not None:
            raise TypeError(f"{name} must be None for X in parts, which have their own, got {describe(each)}")
    previous = model._previous() if settings.warm_start else None
    if parts.known.weight_sum <= 0.0:
        raise ValueError("the weights of the parts must not all be 0")
    encoded(model, X, reset=True)
    _set_features(model, parts)
    settings = dataclasses.replace(settings, penalty_weight=column_factors(model))
    targets = _targets_of(model, parts)
    start = None if previous is None else model._checked_start(*previous)
    random = check_random_state(model.random_state)
    given, held_out = parts, _validation_set(model, parts, targets, X_val, y_val)
    if held_out is None and settings.early_stopping:
        model._check_split(saved)
        given, held_out = _divided(parts, targets, settings.validation_fraction, random)
    seed = model._seed(settings, random, saved)
    result, parameters, model._online = _run(model, settings, targets, (given, held_out), start, seed, saved)
    model._store(parameters, dtype_of(parts))
    model.n_iter_ = result.n_epochs
    model._keep_outcome(result)


def _set_features(model: Any, parts: Parts) -> None:
    model.n_features_in_ = parts.known.n_features
    model.__dict__.pop("feature_names_in_", None)
    if parts.feature_names is not None:
        model.feature_names_in_ = np.array(parts.feature_names, dtype=object)


def _targets_of(model: Any, parts: Parts) -> _Targets:
    """Return how to take the targets. The classes of a classifier are set."""
    if not is_classifier(model):
        if parts.classes is not None:
            raise ValueError("y must hold finite numbers, got text; for classes take LogisticClassifier")
        return _Targets()
    found, dtype = parts.known.targets, dtype_of(parts)
    if parts.classes is not None:
        model.classes_, labels = np.asarray(parts.classes), np.arange(len(parts.classes), dtype=np.float64)
        if not np.array_equal(classes_of(model.classes_), model.classes_):
            raise ValueError(f"the classes of the parts must be sorted, each once, got {describe(parts.classes)}")
    else:
        if len(found.values) > _CLASSES:
            raise ValueError(
                f"y must hold at most {_CLASSES:,} classes in parts, got more different numbers; for quantities take "
                "LinearRegressor"
            )
        _check_labels(found.values, dtype)
        model.classes_, labels = classes_of(_as_given(found.values, parts.target_dtype or dtype)), found.values
    totals = _Targets(labels).totals(parts)
    numbers = np.arange(len(labels), dtype=dtype)
    model._factors = class_factors(model.class_weight, model.classes_, numbers, totals)
    model._loss_weight(numbers, None)  # which checks that the dtype holds the factors
    return _Targets(labels, model._factors)


def _as_given(labels: Vector, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return labels in the dtype in which they were given, if it has them: text shows whole numbers first."""
    found = labels.astype(dtype)
    return found if np.array_equal(found, labels) else labels


def _check_labels(labels: Vector, dtype: np.dtype[Any]) -> None:
    """Check that labels are not so large that neighbours of them became one number when they were cast."""
    most = 2.0 ** (np.finfo(dtype).nmant + 1)
    large = labels[np.abs(labels) >= most]
    if len(large):
        remedy = "give the rows in float64, or the labels as text" if dtype == np.float32 else "give them as text"
        raise ValueError(
            f"y must hold labels below {most:,.0f} beside rows of {dtype}, which does not tell larger ones apart, got "
            f"{large[0]:.0f}; {remedy}"
        )


def _validation_set(model: Any, parts: Parts, targets: _Targets, X_val: Any, y_val: Any) -> Any:
    """Return the validation set that a user gave, as `Parts` or as `Rows`, or None."""
    if not in_parts(X_val):
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together or not at all, got only one of them")
        return None if X_val is None else model._validation_rows(X_val, y_val, dtype_of(parts))
    if y_val is not None:
        raise TypeError(f"y_val must be None for X_val in parts, which have their own, got {describe(y_val)}")
    held = parts_of(X_val)
    held.check_target()
    for name, expected, found in (
        ("columns", parts.known.n_features, held.known.n_features),
        ("dtype", dtype_of(parts), dtype_of(held)),
        ("classes", _listed(parts.classes), _listed(held.classes)),
    ):
        if expected != found:
            raise ValueError(f"X_val must be like X: expected {name} {expected}, got {found}")
    if targets.labels is not None:
        foreign = held.known.targets.values[~np.isin(held.known.targets.values, targets.labels)]
        if len(foreign):
            raise ValueError(f"X_val must hold the classes {model.classes_} only, got {foreign[0]:g}")
    return held


def _listed(classes: Any) -> Any:
    return None if classes is None else np.asarray(classes).tolist()


def _divided(parts: Parts, targets: _Targets, fraction: float, random: Any) -> tuple[Parts, Parts]:
    """Return the parts without random rows of each, and parts of these rows."""
    seed = int(random.randint(np.iinfo(np.int32).max))
    given, held = (prepared(parts, HeldOut(fraction, seed, each)) for each in (False, True))
    if min(given.known.weight_sum, held.known.weight_sum) <= 0.0:
        raise ValueError(
            "early_stopping holds out rows of each part: expected rows with a weight in both sets, got "
            f"{parts.known.n_samples} row(s); give X_val and y_val"
        )
    if targets.labels is not None and ((targets.totals(parts) > 0) & (targets.totals(given) == 0)).any():
        raise ValueError("early_stopping must leave rows of each class, got a class without; give X_val and y_val")
    return given, held


def _run(
    model: Any,
    settings: FitSettings,
    targets: _Targets,
    sets: tuple[Parts, Any],
    start: Any,
    seed: int | None,
    saved: Saved,
) -> tuple[Result, Parameters, Online]:
    """Minimise over the classes that have a weight. Return parameters of all classes."""
    given, held_out = sets
    present = _present(model, settings, targets, given)
    places = None if present is None else present.places
    if in_parts(held_out):
        _check_present(model, targets, places, held_out)
        held_out = targets.rows(held_out, places)
    elif held_out is not None and present is not None:
        held_out = present.validation_rows(held_out)
    rows = targets.rows(given, places)
    if present is None:
        return PartsTraining(settings, *model._loss()).fit(rows, held_out, start, seed, saved)
    if len(present.places) == 1:
        parameters = present.parameters_of_one(given.known.n_features)
        return run_of_one(held_out is not None), parameters, Online(weight=rows.total())
    training = PartsTraining(settings, *present.loss())
    result, parameters, online = training.fit(rows, held_out, present.start(start), seed, saved)
    return result, present.parameters(parameters), online


def _present(model: Any, settings: FitSettings, targets: _Targets, given: Parts) -> Present | None:
    """Return the classes that have a weight, if the fit has to leave out others. Else return None."""
    if targets.labels is None:
        return None
    places = np.flatnonzero(targets.totals(given) > 0)
    if len(places) == 0:
        raise ValueError("sample_weight and class_weight must leave some row a weight above 0, got 0 for all")
    whole = len(places) == len(targets.labels) or not settings.fit_intercept
    return None if whole else Present(places, model.classes_)


def _check_present(model: Any, targets: _Targets, places: Any, held: Parts) -> None:
    if places is None or targets.labels is None:
        return
    wrong = targets.totals(held) > 0
    wrong[places] = False
    if wrong.any():
        label = model.classes_[wrong].tolist()[0]
        raise ValueError(f"X_val must hold only classes that have a weight in the fit, got {label!r}, which has none")
