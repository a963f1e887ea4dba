"""Cases of the estimators and of what analyses a problem: closed form, statistics, curvature, learning rates."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import steepest as st

from .data import OF_FLOATS, STORAGES, Sample, arithmetic, bell, offset_of, stored
from .objective_cases import objective_for, options_for
from .tables import Case

FITTED = ("coef_", "intercept_", "classes_", "n_iter_", "stop_reason_")
MODELS = {"linear": 0, "logistic of 2": 2, "logistic of 3": 3}
OPTIMIZERS = ("quasi-newton", "adam", "rmsprop", "adagrad", "momentum", "nesterov", "gradient-descent")


def estimator_cases(quick: bool) -> Iterator[Case]:
    """Yield fits of both estimators with every optimizer by name, with and without `standardize`."""
    for model in MODELS:
        for sample in [Sample(60, 4)] if quick else [Sample(60, 4), Sample(2000, 13), Sample(30, 50)]:
            for dtype in ("float32", "float64"):
                fit = partial(_fit, model, sample, dtype)
                label = f"estimator/{model}/{sample.n}x{sample.d}/{dtype}"
                yield from ((f"{label}/{name}", call) for name, call in _fits(fit))


def _fits(fit: Any) -> Iterator[Case]:
    for standardize in (False, True):
        scaled = "standardized/" if standardize else ""
        for name in ("auto", *OPTIMIZERS):
            yield f"{scaled}{name}", partial(fit, optimizer=name, standardize=standardize, max_iter=12)
        forms: dict[str, dict[str, Any]] = {
            "mini-batch": {"batch_size": 16, "max_iter": 4},
            "strong": {"alpha": 0.25},
            "L1": {"alpha": 0.02, "l1_ratio": 1.0},
            "both penalties": {"alpha": 0.02, "l1_ratio": 0.5},
            "both penalties, steps": {"alpha": 0.02, "l1_ratio": 0.5, "optimizer": "adam", "max_iter": 10},
            "no intercept": {"fit_intercept": False},
            "early stopping": {"early_stopping": True, "optimizer": "adam", "max_iter": 15},
            "F": {"order": "F"},
            "far": {"far": True},
            "weights": {"weighted": True},
            "balanced": {"class_weight": "balanced"},
            "partial fits": {"partial": True, "optimizer": "adam"},
        }
        for name, form in forms.items():
            yield f"{scaled}{name}", partial(fit, standardize=standardize, **form)


def _fit(model: str, sample: Sample, dtype: str, order: str = "C", **options: Any) -> dict[str, Any] | str:
    classes = MODELS[model]
    far, weighted, in_parts = (options.pop(name, False) for name in ("far", "weighted", "partial"))
    if not classes and options.pop("class_weight", None):
        return "not for this estimator"
    X = stored(sample.X + offset_of(dtype) / 16 if far else sample.X, dtype, order)
    y = sample.labels(classes).astype(int) if classes else sample.target().astype(dtype)
    weight = sample.weights().astype(dtype) if weighted else None
    estimator = (st.LogisticClassifier if classes else st.LinearRegressor)(random_state=3, **options)
    if in_parts:
        names = {"classes": np.arange(classes)} if classes else {}
        for rows in (slice(0, 20), slice(20, 30), slice(0, 20)):
            estimator.partial_fit(X[rows], y[rows], **names)
    else:
        estimator.fit(X, y, sample_weight=weight)
    found = {name: getattr(estimator, name) for name in FITTED if hasattr(estimator, name)}
    history = {name: column for name, column in estimator.history_.items() if name != "seconds"}
    found |= {"history": np.array(list(history.values()), np.float64), "predict": estimator.predict(X[:20])}
    return found | ({"predict_proba": estimator.predict_proba(X[:20])} if classes else {})


def statistics_cases(quick: bool) -> Iterator[Case]:
    """Yield means and deviations of columns, and the way back from standardised ones."""
    for n, d in [(7, 3)] if quick else [(1, 1), (7, 3), (64, 64), (1000, 17), (70_000, 11), (40, 3000)]:
        sample = Sample(n, d)
        for storage in STORAGES:
            for name, offset in (("near", 0.0), ("far", offset_of(storage))):
                for order in "CF":
                    X = stored(sample.X + offset, storage, order)
                    label = f"statistics/{storage}/{order}/{n}x{d}/{name}"
                    yield label, partial(st.objectives.column_statistics, X)
                    weight = sample.weights().astype(arithmetic(storage))
                    yield f"{label}/weights", partial(st.objectives.column_statistics, X, weight)
    w, centre, scale = bell(14, 9), bell(15, 9), 1 + np.abs(bell(16, 9))
    for dtype in ("float32", "float64"):
        yield f"unscaled/{dtype}", partial(st.objectives.unscaled, w.astype(dtype), centre, scale, 0.75)


def analysis_cases(quick: bool) -> Iterator[Case]:
    """Yield closed forms, curvatures, Taylor expansions, learning rate curves and grid searches."""
    for sample in [Sample(60, 4)] if quick else [Sample(300, 11), Sample(20, 40), Sample(70_000, 11)]:
        for storage in STORAGES:
            for name in options_for(sample, storage):
                for loss in ("least_squares", "logistic", "softmax"):
                    label = f"{loss}/{storage}/{sample.n}x{sample.d}/{name}"
                    make = partial(_made, loss, sample, storage, name)
                    if loss == "least_squares":
                        yield f"closed form/{label}", partial(_closed_form, make)
                    if sample.n < 1000 and storage in OF_FLOATS:
                        yield f"curvature/{label}", partial(_curvature, make, sample)
                        yield f"taylor/{label}", partial(_taylor, make, sample)
                        yield f"learning rates/{label}", partial(_learning_rates, make)
    wide = partial(_made, "logistic", Sample(500, 40), "float64", "squared penalty")
    yield "curvature/lanczos", partial(_curvature, wide, Sample(500, 40), method="lanczos")


def _made(loss: str, sample: Sample, storage: str, option: str) -> Any:
    options = options_for(sample, storage)[option]
    return objective_for(loss, sample, storage, "C", option.startswith("far"), **options)


def _point(objective: Any, sample: Sample) -> Any:
    return sample.parameters(objective.n_parameters).astype(objective.dtype)


def _closed_form(make: Any) -> dict[str, Any]:
    found = st.normal_equation(make())
    return {"w": found.w, "value": found.value, "end": f"{found.rank} {found.method}"}


def _curvature(make: Any, sample: Sample, **options: Any) -> dict[str, Any]:
    objective = make()
    found = st.curvature(objective, _point(objective, sample), **options)
    names = ("eigenvalues", "gradient", "gradient_norm", "zero_tolerance", "gradient_tolerance", "method")
    return {name: getattr(found, name) for name in names}


def _taylor(make: Any, sample: Sample) -> dict[str, Any]:
    objective = make()
    w = _point(objective, sample)
    found = st.taylor(objective, w)
    return {"value": found.value, "gradient": found.gradient, "hessian": found.hessian, "at zero": found(0 * w)}


def _learning_rates(make: Any) -> dict[str, Any]:
    curve = st.find_learning_rate(make(), st.Momentum(0.1), batch_size=16, n_steps=40, random_state=1)
    grid = st.grid_search(make(), st.GradientDescent(0.1), n_jobs=1, max_epochs=3, diagnose=False)
    names = ("learning_rates", "losses", "smoothed_losses", "suggestion")
    found = {name: getattr(curve, name) for name in names}
    return found | {f"grid {rate}": run.w for rate, run in zip(grid.learning_rates, grid.results, strict=True)}
