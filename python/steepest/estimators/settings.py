"""The parameters of an estimator, checked when it is fitted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import _core
from ..arrays.checks import check_alpha, check_count, check_flag, check_fraction, check_number, describe
from ..descent.stopping import Progress
from ..runtime import own_threads

__all__ = ["FitSettings", "Saved"]


class Saved(NamedTuple):
    """Where and how often a fit is saved: arguments of `minimize`."""

    checkpoint: str | os.PathLike[str] | None
    checkpoint_seconds: float


@dataclass(frozen=True)
class FitSettings:
    """The checked parameters of an estimator, under their names.

    Attributes
    ----------
    alpha : float or None
        None means 1 / sum(weights).
    tol : float or None
        None means "auto".
    penalty_weight : any
        As the user gave it, until a fit knows the columns; then an array of float64 or None.
    callbacks : list of callable
        The user's callbacks. If verbose, the last one prints a line.
    """

    optimizer: Any
    learning_rate: Any
    batch_size: int | None
    shuffle: bool
    alpha: float | None
    l1_ratio: float
    penalty_weight: Any
    positive: bool
    fit_intercept: bool
    standardize: bool
    max_iter: int
    tol: float | None
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    n_jobs: int | None
    callbacks: list[Callable[[Progress], Any]]

    @classmethod
    def of(cls, estimator: Any) -> FitSettings:
        """Return the checked parameters of an estimator.

        Raises
        ------
        TypeError, ValueError
            A parameter has the wrong type or is out of range.
        """
        batch_size, alpha, tol = estimator.batch_size, estimator.alpha, estimator.tol
        return cls(
            optimizer=estimator.optimizer,
            learning_rate=estimator.learning_rate,
            batch_size=None if batch_size is None else check_count("batch_size", batch_size, 1),
            shuffle=check_flag("shuffle", estimator.shuffle),
            alpha=None if alpha is None else check_alpha(alpha),
            l1_ratio=check_fraction("l1_ratio", estimator.l1_ratio),
            penalty_weight=estimator.penalty_weight,
            positive=check_flag("positive", estimator.positive),
            fit_intercept=check_flag("fit_intercept", estimator.fit_intercept),
            standardize=check_flag("standardize", estimator.standardize),
            max_iter=check_count("max_iter", estimator.max_iter, 0),
            tol=None if isinstance(tol, str) and tol == "auto" else check_number("tol", tol, least=0.0),
            early_stopping=check_flag("early_stopping", estimator.early_stopping),
            validation_fraction=check_number(
                "validation_fraction", estimator.validation_fraction, above=0.0, below=1.0
            ),
            n_iter_no_change=check_count("n_iter_no_change", estimator.n_iter_no_change, 1),
            warm_start=check_flag("warm_start", estimator.warm_start),
            n_jobs=_checked_jobs(estimator.n_jobs),
            callbacks=_checked_callbacks(estimator.callbacks) + [_print] * bool(_checked_verbose(estimator.verbose)),
        )

    def in_threads(self) -> AbstractContextManager[None]:
        """Return the context in which the kernels use as many threads as n_jobs says."""
        return nullcontext() if self.n_jobs is None else own_threads(0 if self.n_jobs == -1 else self.n_jobs)


def _checked_jobs(value: Any) -> int | None:
    if value is None or (value == -1 and not isinstance(value, bool)):
        return value if value is None else -1
    try:
        return check_count("n_jobs", value, 1, _core.max_threads)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error}; None leaves the number of threads as it is, -1 takes all") from None


def _checked_callbacks(value: Any) -> list[Callable[[Progress], Any]]:
    found: list[Any] = (
        [] if value is None else [value] if callable(value) else list(value) if isinstance(value, Iterable) else [0]
    )
    if not all(callable(each) for each in found):
        raise TypeError(f"callbacks must be None or callables, one or several, got {describe(value)}")
    return found


def _checked_verbose(value: Any) -> int:
    return int(value) if isinstance(value, bool) else check_count("verbose", value, 0)


def _print(progress: Progress) -> None:
    validation = "" if progress.validation_loss is None else f", validation loss {progress.validation_loss:.6g}"
    norm = f"gradient norm {progress.gradient_norm:.3g}"
    print(f"epoch {progress.epoch}: loss {progress.loss:.6g}, {norm}{validation}, {progress.seconds:.3g} s")
