"""The commands `fit` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..optimizers.names import OPTIMIZERS
from .fit_run import run, run_in_parts
from .parameters import (
    PICTURE,
    LossName,
    LossOption,
    Number,
    OfferedOption,
    batch_size_of,
    output_path,
    reading_options,
    streaming_options,
)
from .speech import heard
from .tables import ReadOptions

_FRACTION = Number(min=0, max=1, max_open=True)
_COLUMN = "COLUMN"
_RANDOM_STATE = click.option(
    "--random-state",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of the split and of the order of the rows.",
)


@click.command(short_help="Fit a linear model to a table, and test it.")
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--target", metavar=_COLUMN, help="Column to predict (an index for NPY).  [default: y of NPZ, svmlight]")
@click.option("--loss", type=LossName(), cls=LossOption)
@click.option(
    "--delta",
    type=Number(min=0, min_open=True),
    cls=OfferedOption,
    help="Error from which the loss huber is linear, in the units of the target.",
)
@click.option("--weight", metavar=_COLUMN, help="Column with the weights of the rows.")
@click.option("--validation", type=click.Path(path_type=Path), metavar="TABLE", help="Rows that choose the epoch.")
@click.option("--drop", multiple=True, metavar=_COLUMN, help="Leave out a column; may be repeated.")
@click.option(
    "--categorical",
    "--text",
    "categorical",
    multiple=True,
    metavar=_COLUMN,
    help="Take a column for text, such as codes; may be repeated.",
)
@click.option("--numeric", multiple=True, metavar=_COLUMN, help="Take a column for numbers; may be repeated.")
@click.option(
    "--missing",
    type=click.Choice(["error", "drop", "mean", "median", "category"]),
    default="error",
    show_default=True,
    help="Rows with missing values: an error, or left out. Or numbers become the mean or median, and text a level of "
    "its own. category also adds a feature that tells which numbers were missing.",
)
@reading_options
@click.option(
    "--optimizer",
    type=click.Choice(["auto", "quasi-newton", *OPTIMIZERS]),
    default="auto",
    metavar="NAME",
    show_default=True,
    help=f"{', '.join(['quasi-newton', *OPTIMIZERS])}; auto is quasi-newton, or adam if --batch-size is given.",
)
@click.option("--learning-rate", type=Number(min=0, min_open=True), help="A constant rate.  [default: chosen]")
@click.option(
    "--batch-size",
    type=batch_size_of,
    default="auto",
    metavar="INTEGER|all",
    show_default="256 for adam, lazy-adam, rmsprop and adagrad, else all",
    help="Rows of a step.",
)
@click.option(
    "--max-epochs",
    type=click.IntRange(1, 10**9),
    show_default="1000, or 100 with batches",
    help="Stop after this many passes over the rows.",
)
@click.option("--max-seconds", type=Number(min=0, min_open=True), help="Stop after this many seconds.")
@click.option(
    "--alpha", type=Number(min=0), help="Strength of the penalty.  [default: 0 for numbers, 1 / rows for classes]"
)
@click.option("--l1-ratio", type=Number(min=0, max=1), default=0.0, show_default=True, help="L1 share of the penalty.")
@click.option(
    "--test-fraction",
    type=_FRACTION,
    show_default="0.2, or 0 for fewer than 50 rows",
    help="Part of the rows that only test the model.",
)
@click.option(
    "--validation-fraction",
    type=_FRACTION,
    show_default="0.1 with --patience, else 0",
    help="Part of the rows that choose the epoch.",
)
@click.option(
    "--patience",
    type=click.IntRange(1, 10**9),
    help="Stop after this many epochs without a lower validation loss.",
)
@click.option("--tol", type=Number(min=0), help="Stop at this part of the gradient at the start.  [default: chosen]")
@click.option("--standardize/--no-standardize", default=True, show_default=True, help="Descend on scaled columns.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float64",
    show_default=True,
    help="Precision of the fit.",
)
@_RANDOM_STATE
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the fit to a file while it runs. If there is one of this fit, go on from it.",
)
@click.option("--resume", is_flag=True, help="Demand that the file of --checkpoint exists.")
@click.option(
    "--checkpoint-seconds",
    type=Number(min=0),
    default=60.0,
    show_default=True,
    help="Save after this many seconds, and at the end.",
)
@streaming_options
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for a binary copy of rows that are read in parts, which later readings take.",
)
@click.option("--model", type=output_path(".json"), metavar="OUT.json", help="Where to write the model.")
@click.option("--plot", "picture", type=PICTURE, metavar="OUT.png", help="Where to draw the loss curve.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--quiet", is_flag=True, help="Print warnings and errors only.")
def fit(
    tables: tuple[Path, ...],
    validation: Path | None,
    sep: str | None,
    decimal: str | None,
    encoding: str | None,
    na: tuple[str, ...],
    model: Path | None,
    picture: Path | None,
    as_json: bool,
    quiet: bool,
    checkpoint: Path | None,
    checkpoint_seconds: float,
    resume: bool,
    memory: str | None,
    stream: bool | None,
    cache: Path | None,
    **options: Any,
) -> int:
    """Fit a linear model to TABLE and test it on rows held out.

    TABLE is CSV, TSV, Parquet, Arrow, NPY, NPZ or svmlight, or - for standard input. The target decides the loss:
    logistic for two classes, softmax for more, least squares for numbers.

    More than 200 features of which at most a tenth is not 0 are kept as a sparse matrix. So are wide svmlight files.

    Several files, a folder or a pattern of names are one table, whose rows are read in parts. So are those of a file
    that is too large for --memory. All columns but the target must then hold numbers.
    """
    from .problem import FitOptions, pose
    from .readers import load_table
    from .streaming import streaming

    _check_resume(checkpoint, resume)
    chosen = FitOptions(**options)
    forced = {*chosen.categorical}
    reading = ReadOptions(sep, decimal or ".", encoding or "utf-8", na, frozenset(forced))
    saved = {"checkpoint": checkpoint, "checkpoint_seconds": checkpoint_seconds}
    prints = "nothing" if quiet else "json" if as_json else "text"
    found = streaming(tables, memory, stream, cache)
    if found is not None:
        held = None if validation is None else load_table(validation, reading)
        return run_in_parts(found, chosen, reading, held, model, picture, prints, saved)
    with heard() as messages:
        given = load_table(tables[0], reading)
        if validation is None:
            problem = pose(given, chosen)
        else:
            texts = forced | _texts_of(given.frame)
            further = ReadOptions(sep, reading.decimal, reading.encoding, na, frozenset(texts))
            problem = pose(given, chosen, load_table(validation, further))
    return run(problem, reading, messages, model, picture, prints, saved)


def _check_resume(checkpoint: Path | None, resume: bool) -> None:
    """Raise a UsageError if there is nothing to go on from, though there should be."""
    if resume and checkpoint is None:
        raise click.UsageError("--resume needs the --checkpoint to go on from")
    if resume and checkpoint is not None and not checkpoint.exists():
        raise click.UsageError(f"--resume: there is no checkpoint '{checkpoint}'; leave --resume out to begin")


def _texts_of(frame: Any) -> set[str]:
    """Return the columns that a reader found to be text, so that it reads them as text from another file too."""
    return {name for name in frame.columns if frame[name].dtype.kind not in "iufb"}


@click.command(short_help="Predict which of 327,346 real flights are late.")
@click.option(
    "--plot",
    "picture",
    type=PICTURE,
    default="steepest-demo.png",
    metavar="OUT.png",
    show_default=True,
    help="Where to draw the loss curve.",
)
@click.option(
    "--max-epochs",
    type=click.IntRange(1, 10**9),
    default=40,
    show_default=True,
    help="Stop after this many passes over the rows.",
)
@_RANDOM_STATE
def demo(picture: Path, max_epochs: int, random_state: int) -> int:
    """Fit a logistic model to 327,346 real flights, to predict which of them are late."""
    from .flights import load_flights
    from .problem import FitOptions, pose

    options = FitOptions(
        optimizer="adam",
        batch_size=4096,
        max_epochs=max_epochs,
        validation_fraction=0.1,
        test_fraction=0.1,
        patience=5,
        random_state=random_state,
    )
    problem = pose(load_flights(), options)
    click.echo("Flights that left New York in 2013: which arrive more than 15 minutes late?")
    return run(problem, ReadOptions(), [], model=None, picture=picture, prints="text")
