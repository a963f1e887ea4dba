"""What `fit` and `demo` do once their options are read: they fit, report, and write files."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import plot
from ..extras import require
from .bars import PassBar, RowBar
from .saving import saving
from .speech import DIVERGED, INTERRUPTED, heard, say
from .tables import ReadOptions

if TYPE_CHECKING:
    from .fitting import Fit
    from .problem import FitOptions, Problem
    from .streaming import Streaming
    from .tables import Table

__all__ = ["run", "run_in_parts"]


def run(
    problem: Problem,
    reading: ReadOptions,
    messages: list[str],
    model: Path | None,
    picture: Path | None,
    prints: str,
    saved: dict[str, Any] | None = None,
) -> int:
    """Fit a problem in memory, and return the exit code."""
    from . import report
    from .fitting import fit as fitted

    if picture:
        require("matplotlib", "plot")
    if prints == "text":
        click.echo(problem.target.why)
        for line in report.rows_lines(problem):
            click.echo(line)
    bar = PassBar() if prints == "text" and sys.stderr.isatty() else None
    with heard() as heard_while_fitting:
        fit = fitted(problem, [] if bar is None else [bar], saved)
    if bar is not None:
        bar.close()
    return _finish(fit, reading, messages, heard_while_fitting, model, picture, prints)


def run_in_parts(
    found: Streaming,
    options: FitOptions,
    reading: ReadOptions,
    validation: Table | None,
    model: Path | None,
    picture: Path | None,
    prints: str,
    saved: dict[str, Any],
) -> int:
    """Fit a table that is read in parts, and return the exit code."""
    from . import parts_report
    from .parts_fit import fit_parts
    from .parts_problem import pose_parts

    if picture:
        require("matplotlib", "plot")
    shows_bar = prints == "text" and sys.stderr.isatty()
    bar = RowBar(found.outline.known_rows) if shows_bar else None
    try:
        with heard() as messages:
            problem = pose_parts(found, options, reading, validation, None if bar is None else bar.read)
        if bar is not None:
            bar.opened(problem.rows_read)
        if prints == "text":
            for line in (problem.target.why, *parts_report.rows_lines(problem)):
                click.echo(line)
        with heard() as heard_while_fitting:
            fit = fit_parts(problem, [] if bar is None else [bar], saved)
    finally:
        if bar is not None:
            bar.close()
    return _finish(fit, reading, messages, heard_while_fitting, model, picture, prints)


def _finish(
    fit: Fit,
    reading: ReadOptions,
    messages: list[str],
    heard_while_fitting: list[str],
    model: Path | None,
    picture: Path | None,
    prints: str,
) -> int:
    """Report a fit, write its files, and return the exit code."""
    for message in (messages := [*messages, *_of_the_run(fit, heard_while_fitting)]):
        say(message)
    if fit.estimator.stop_reason_ == "diverged":
        return DIVERGED
    _tell(fit, reading, messages, prints)
    _write(fit, reading, model, picture, prints)
    return INTERRUPTED if fit.estimator.stop_reason_ == "interrupted" else 0


def _of_the_run(fit: Fit, messages: list[str]) -> list[str]:
    """Return the messages about a run, with the names of options for the names of the estimator's parameters.

    When a run diverges, NumPy's warnings of overflow add nothing.
    """
    diverged = fit.estimator.stop_reason_ == "diverged"
    kept = [text for text in messages if not diverged or text.startswith("The fit")]
    return [text.replace("max_iter=", "--max-epochs ").replace("max_iter", "--max-epochs") for text in kept]


def _tell(fit: Fit, reading: ReadOptions, messages: list[str], prints: str) -> None:
    from . import report
    from .model import pipeline

    line = report.convergence_line(fit)
    made = pipeline(fit.problem.encoder, fit.estimator, fit.record(reading))
    if prints == "json":
        click.echo(json.dumps(report.of_fit(fit, made, messages), indent=2, default=str, allow_nan=False))
    if prints == "text" and line.startswith("converged"):
        click.echo(line)
    if not line.startswith("converged"):
        say(line)
    measured = report.measure_lines(fit.measures) if fit.measures else ["no measures: the fit was interrupted"]
    if prints == "text":
        for text in (*fit.closing_lines(), *report.coefficient_lines(made), *measured):
            click.echo(text)


def _write(fit: Fit, reading: ReadOptions, model: Path | None, picture: Path | None, prints: str) -> None:
    from .model import pipeline
    from .model_file import save_model

    if model:
        record = replace(fit.record(reading), data=fit.problem.data())
        save_model(pipeline(fit.problem.encoder, fit.estimator, record), model)
    if picture:
        _draw(fit, picture)
    for path in filter(None, (model, picture)):
        if prints == "text":
            click.echo(f"wrote {path}")


def _draw(fit: Fit, picture: Path) -> None:
    # A Figure without pyplot needs no window system.
    figure = require("matplotlib.figure", "plot").Figure(figsize=(7.2, 4.4), layout="constrained")
    plot.loss_curve(_Drawn(fit), ax=figure.subplots())
    with saving(picture) as file:
        figure.savefig(file, format=picture.suffix[1:].lower(), dpi=160)


class _Drawn:
    """A run, as `plot.loss_curve` draws it."""

    def __init__(self, fit: Fit) -> None:
        self.history, self.best_epoch = fit.estimator.history_, fit.best_epoch
