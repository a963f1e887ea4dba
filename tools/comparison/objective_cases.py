"""Cases of the objectives: losses, storages, orders, options and awkward sizes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import steepest as st
from steepest.objectives import losses

from .data import OF_FLOATS, STORAGES, Sample, arithmetic, bell, offset_of, stored
from .tables import Case

SIZES = [(1, 1), (7, 3), (64, 64), (1000, 17), (1000, 1), (70_000, 11), (40, 3000), (150, 300)]
QUICK_SIZES = [(7, 3), (64, 5)]
MOST_IN_A_HESSIAN = 700  # parameters
ONCE_ONLY = 2000  # columns from which on the plain and the fullest options suffice
# The losses with their numbers of classes; 0 if the targets are quantities.
LOSSES: dict[str, tuple[Any, int]] = {
    **{kind._loss: (kind, 2 if kind is st.Logistic else 0) for kind in map(partial(getattr, losses), losses.__all__)},
    "softmax": (st.Softmax, 3),
    "softmax of 2": (st.Softmax, 2),
    "softmax of 11": (st.Softmax, 11),
}
MORE_CLASSES = ("softmax of 2", "softmax of 11")
SIZES_OF_MORE_CLASSES = [(64, 64), (1000, 17)]


def options_for(sample: Sample, storage: str) -> dict[str, dict[str, Any]]:
    """Return the options of the objectives by name; "far" means columns far from zero, and a scaling that mends it."""
    dtype = arithmetic(storage)
    weight = {"sample_weight": sample.weights().astype(dtype)}
    mild = {"centre": bell(7, sample.d) / 4, "scale": 1.0 + np.abs(bell(8, sample.d))}
    far = {"centre": offset_of(storage) + bell(7, sample.d) / 4, "scale": 1.0 + np.abs(bell(8, sample.d)) / 4}
    elastic = {"alpha": 0.125, "l1_ratio": 0.5}
    return {
        "plain": {},
        "weights": weight,
        "no intercept": {"intercept": False},
        "squared penalty": {"alpha": 0.125},
        "both penalties": elastic,
        "scaled": mild,
        "far": far,
        "far, weights, no intercept": far | weight | {"intercept": False},
        "weights, penalties, scaled": weight | elastic | mild,
    }


def objective_for(
    loss: str, sample: Sample, storage: str, order: str, far: bool = False, **options: Any
) -> st.LeastSquares:
    """Return an objective over a sample, with its columns far from zero if so wished."""
    kind, classes = LOSSES[loss]
    X = sample.X + offset_of(storage) if far else sample.X
    y = sample.labels(classes) if classes else sample.target()
    if not (classes or getattr(kind, "is_of_residuals", True)):  # older trees have squares only
        y = np.rint(y * y)  # counts
    y = y.astype(arithmetic(storage))
    more = {"n_classes": classes} if kind is st.Softmax else {}
    return kind(stored(X, storage, order), y, **options, **more)  # type: ignore[no-any-return]


def evaluations(make: Any, sample: Sample) -> Iterator[tuple[str, Any]]:
    """Yield the methods of an objective at a point, made when the first is asked for."""
    made: list[Any] = []

    def evaluate(method: str, n_vectors: int) -> Any:
        if not made:
            made.append(make())
        (objective,) = made
        size, dtype = objective.n_parameters, objective.dtype
        if method == "hessian" and size > MOST_IN_A_HESSIAN:
            return "too large"
        points = [sample.parameters(size, seed).astype(dtype) for seed in (6, 9)]
        return getattr(objective, method)(*points[:n_vectors])

    for method, n_vectors in (("value", 1), ("value_and_gradient", 1), ("hessian_product", 2), ("hessian", 1)):
        yield method, partial(evaluate, method, n_vectors)


def objective_cases(quick: bool) -> Iterator[Case]:
    """Yield the cases of every loss, storage, order, size and option."""
    for n, d in QUICK_SIZES if quick else SIZES:
        sample = Sample(n, d)
        for loss in LOSSES:
            if loss in MORE_CLASSES and (n, d) not in SIZES_OF_MORE_CLASSES:
                continue
            for storage in STORAGES:
                yield from _cases_of(loss, sample, storage)


def _cases_of(loss: str, sample: Sample, storage: str) -> Iterator[Case]:
    for name, options in options_for(sample, storage).items():
        if sample.d >= ONCE_ONLY and name not in ("plain", "far", "weights, penalties, scaled"):
            continue
        for order in "CF":
            make = partial(objective_for, loss, sample, storage, order, name.startswith("far"), **options)
            label = f"objective/{loss}/{storage}/{order}/{sample.n}x{sample.d}/{name}"
            for method, call in evaluations(make, sample):
                yield f"{label}/{method}", call


def special_cases(quick: bool) -> Iterator[Case]:
    """Yield cases of data with a nan or an infinity, whose results have them too."""
    sample = Sample(64, 5)
    for loss in ("least_squares", "logistic", "softmax"):
        for storage in OF_FLOATS:
            for bad in (np.nan, np.inf):

                def make(loss: str = loss, storage: str = storage, bad: float = bad) -> Any:
                    objective = objective_for(loss, sample, storage, "C")
                    objective.X[3, 2] = bad
                    return objective

                for method, call in evaluations(make, sample):
                    yield f"objective/{loss}/{storage}/C/64x5/{bad}/{method}", call
