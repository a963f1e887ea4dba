"""The classes of a classifier: their numbers for the loss, and the factors of their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import blocks_of
from ..extras import require

__all__ = ["class_factors", "classes_of", "numbers_of"]

Array = NDArray[Any]
_FEW = 16  # number of classes up to which comparing with each is faster than sorting


def classes_of(y: Array) -> Array:
    """Return the sorted classes, including those whose rows all have weight 0.

    Raises
    ------
    ValueError
        The targets are not classes, or there are fewer than two classes.
    """
    # Integers and texts are always classes. scikit-learn's check takes as long as a pass, so only others need it.
    whole = y.dtype.kind == "f" and all((part == np.floor(part)).all() for _, part in blocks_of(y))
    if y.dtype.kind not in "biuUS" and not whole:
        require("sklearn.utils.multiclass", "sklearn").check_classification_targets(y)
    classes = y[:0]
    for _, part in blocks_of(y):
        fresh = part
        for known in classes[:_FEW]:  # faster than sorting
            fresh = fresh[fresh != known]
        if len(fresh):
            classes = np.union1d(classes, fresh) if len(classes) else _sorted(fresh)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, got {len(classes)} class(es)")
    return classes


def _sorted(labels: Array) -> Array:
    """Return the different labels, of at least one, in order. `np.unique` asks more questions about its argument."""
    labels = np.sort(labels)
    first = np.ones(len(labels), bool)
    np.not_equal(labels[1:], labels[:-1], out=first[1:])
    return labels[first]


def numbers_of(y: Array, classes: Array, dtype: Any, *, own: bool = False) -> Array:
    """Return the index of each label among the classes.

    ``own`` says that the classes are those of these labels, as `classes_of` found them.

    Raises
    ------
    ValueError
        A label is not among the classes.
    """
    if _are_numbers(y, classes, own):
        return np.ascontiguousarray(y, dtype)
    numbers = np.empty(len(y), dtype)
    for start, part in blocks_of(y):
        places = np.searchsorted(classes, part).clip(max=len(classes) - 1)
        foreign = classes[places] != part
        if foreign.any():
            raise ValueError(f"y must hold the classes {classes} only, got {part[int(np.argmax(foreign))]!r}")
        numbers[start : start + len(part)] = places
    return numbers


def _are_numbers(y: Array, classes: Array, own: bool) -> bool:
    """Return whether the classes are already 0 ... k - 1, the numbers of the loss, and all labels are among them."""
    k = len(classes)
    if y.dtype.kind not in "iuf" or k > _FEW or classes.tolist() != list(range(k)):
        return False
    return own or all(_are_below(part, k) for _, part in blocks_of(y))


def _are_below(numbers: Array, k: int) -> bool:
    """Return whether all numbers are among 0 ... k - 1."""
    whole = numbers.dtype.kind != "f" or bool((numbers == np.floor(numbers)).all())
    return whole and (not numbers.size or bool(numbers.min() >= 0 and numbers.max() < k))


def class_factors(class_weight: Any, classes: Array, numbers: Array | None, sample_weight: Array | None) -> Any:
    """Return the factor of each class's weights: a float64 array, or None if all are 1.

    Only "balanced" needs `numbers`, which has the number of each row's class.

    Raises
    ------
    TypeError, ValueError
        class_weight is not a dict, "balanced" or None, names classes that do not exist, or has a number below 0.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str) and class_weight == "balanced":
        assert numbers is not None
        totals = np.bincount(numbers.astype(np.intp), sample_weight, minlength=len(classes)).astype(np.float64)
        weighted = totals > 0  # classes of weight 0 cannot be balanced
        return totals.sum() / (np.count_nonzero(weighted) * np.where(weighted, totals, 1.0))
    if not isinstance(class_weight, dict):
        raise ValueError(f'class_weight must be a dict, "balanced" or None, got {class_weight!r}')
    weigh = require("sklearn.utils.class_weight", "sklearn").compute_class_weight
    try:
        factors = np.asarray(weigh(class_weight, classes=classes, y=classes), np.float64)
    except OverflowError as error:
        raise ValueError(f"class_weight must hold numbers within float64: {error}") from None
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise ValueError(f"class_weight must be finite and at least 0, got {class_weight!r}")
    return factors
