"""The commands that use a model file: `predict`, `evaluate` and `explain`."""

from __future__ import annotations

import io
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import numpy as np

from ..extras import require
from .bars import RowBar
from .parameters import output_path, reading_options, streaming_options
from .saving import saving
from .speech import heard, say
from .tables import OptionError, ReadOptions, Table

if TYPE_CHECKING:
    from .streaming import Streaming

_UNKNOWN = click.option(
    "--unknown",
    type=click.Choice(["error", "baseline"]),
    default="error",
    show_default=True,
    help="A level, or a column of a svmlight file, that the fit did not see: an error, or taken for the baseline level "
    "or left out.",
)
_FORMATS = (".csv", ".tsv", ".npy", ".parquet", ".arrow", ".feather")


@click.command(short_help="Apply a model to a table.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--keep", multiple=True, metavar="COLUMN", help="Copy a column of TABLE to the output; may be repeated.")
@_UNKNOWN
@reading_options
@streaming_options
@click.option(
    "--output",
    type=output_path(*_FORMATS),
    metavar="OUT.csv|OUT.npy|OUT.parquet",
    help="Where to write the predictions.  [default: CSV to stdout]",
)
def predict(
    model: Path,
    tables: tuple[Path, ...],
    keep: tuple[str, ...],
    unknown: str,
    output: Path | None,
    memory: str | None,
    stream: bool | None,
    **reading: Any,
) -> None:
    """Apply a MODEL that `fit` wrote to TABLE.

    A regression gives the column prediction. A classifier gives the most probable class, and the probability of each
    class in a column named after it. An NPY file holds an array of numbers, or of records with these fields.

    Several files, a folder or a pattern of names are one table. They, and a file that is too large for --memory, are
    read in parts, and predictions are written as they come.
    """
    from .model import predictions
    from .model_file import load_model
    from .streaming import streaming

    fitted = load_model(model)
    copies = output is None or output.suffix.lower() in (".csv", ".tsv")  # text is then copied as it is
    found = streaming(tables, memory, stream)
    if found is not None:
        options = _reading_for(fitted, reading, copies=keep if copies else ())
        _predict_in_chunks(fitted, found, options, unknown, keep, output)
        return
    given = _table_for(fitted, tables[0], reading, copies=keep if copies else ())
    kept = {name: given.texts.get(name, given.values(given.column(name))) for name in keep}
    made = predictions(fitted, given, unknown)
    _say_empty(_n_empty(made))
    repeated = [name for name in kept if name in made]
    if repeated:
        raise OptionError(f"--keep {repeated[0]}: the output has a column of that name")
    columns = {**kept, **made}
    if output is None:
        click.echo(_text(columns, ","), nl=False)
        return
    content = _encoded(columns, output.suffix.lower())
    with saving(output) as file:
        file.write(content)


def _n_empty(made: dict[str, Any]) -> int:
    return int(require("pandas", "cli").isna(list(made.values())[-1]).sum())


def _say_empty(empty: int) -> None:
    if empty:
        say(f"{empty:,} rows have missing values and get no prediction, as the fit left out such rows")


def _predict_in_chunks(
    fitted: Any, found: Streaming, options: ReadOptions, unknown: str, keep: tuple[str, ...], output: Path | None
) -> None:
    """Predict chunk by chunk, and write each before the next one is read."""
    from .chunks import Chunks
    from .predicting import predicted, writer_of

    empty, suffix = 0, ".csv" if output is None else output.suffix.lower()
    with ExitStack() as stack, heard() as messages:
        file: BinaryIO = sys.stdout.buffer if output is None else stack.enter_context(saving(output))
        with writer_of(file, suffix, fitted) as writer:
            bar = RowBar(found.outline.known_rows, "predicting") if output and sys.stderr.isatty() else None
            if bar is not None:
                stack.callback(bar.close)
            chunks = Chunks(found, options, None if bar is None else bar.read)
            for columns in predicted(fitted, chunks, unknown, keep):
                empty += _n_empty(columns)
                writer.write(columns)
    for message in messages:
        say(message)
    _say_empty(empty)


@click.command(short_help="Compare a model's predictions with the target.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--target", metavar="COLUMN", help="Column to compare with.  [default: the model's target]")
@click.option("--weight", metavar="COLUMN", help="Column with the weights of the rows.")
@_UNKNOWN
@reading_options
@streaming_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def evaluate(
    model: Path,
    tables: tuple[Path, ...],
    target: str | None,
    weight: str | None,
    unknown: str,
    as_json: bool,
    memory: str | None,
    stream: bool | None,
    **reading: Any,
) -> None:
    """Compare the predictions of a MODEL with the target in TABLE.

    Several files, a folder or a pattern of names are one table. They, and a file that is too large for --memory, are
    read in parts. The AUC, which needs all rows at once, is then left out.
    """
    from .chunks import Chunks
    from .evaluation import evaluated, evaluated_in_chunks
    from .model_file import load_model
    from .report import measure_lines
    from .streaming import streaming

    fitted, parted = load_model(model), streaming(tables, memory, stream)
    if parted is not None:
        chunks = Chunks(parted, _reading_for(fitted, reading, _text_target(fitted, target)))
        (found, dropped), name = evaluated_in_chunks(fitted, chunks, target, weight, unknown), chunks.name
    else:
        given = _table_for(fitted, tables[0], reading, _text_target(fitted, target))
        (found, dropped), name = evaluated(fitted, given, target, weight, unknown), given.name
    if as_json:
        click.echo(json.dumps({"left_out": dropped, **found}, indent=2))
        return
    if dropped:
        click.echo(f"{dropped:,} rows left out, which have missing values")
    click.echo(f"{found['rows']:,} rows of {name}")
    for line in measure_lines({"table": found}):
        click.echo(line)


@click.command(short_help="Print what a model is.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--all", "whole", is_flag=True, help="Print all coefficients instead of the 20 with the largest effect.")
@click.option("--json", "as_json", is_flag=True, help="Print the model file as one JSON object.")
def explain(model: Path, whole: bool, as_json: bool) -> None:
    """Say what a MODEL is: its columns, coefficients and measures."""
    from .model_file import content_of, load_model
    from .numbered_file import text_of
    from .report import MOST_COEFFICIENTS, explanation

    fitted = load_model(model)
    if as_json:
        click.echo(text_of(content_of(fitted)), nl=False)
        return
    for line in explanation(fitted, None if whole else MOST_COEFFICIENTS):
        click.echo(line)


def _text_target(fitted: Any, target: str | None) -> tuple[str, ...]:
    """Return the target if it is text, as then another file's must be read as text too."""
    from .model import is_classifier, parts

    _, estimator, record = parts(fitted)
    name = target or record.target
    return (name,) if name and is_classifier(estimator) and isinstance(estimator.classes_[0], str) else ()


def _table_for(
    fitted: Any, path: Path, given: dict[str, Any], text_too: tuple[str, ...] = (), copies: tuple[str, ...] = ()
) -> Table:
    """Read a table as the one of the fit was read, with the kinds of columns that the model has."""
    from .readers import load_table

    with heard() as messages:
        table = load_table(path, _reading_for(fitted, given, text_too, copies))
    for message in messages:
        say(message)
    return table


def _reading_for(
    fitted: Any, given: dict[str, Any], text_too: tuple[str, ...] = (), copies: tuple[str, ...] = ()
) -> ReadOptions:
    """Return how to read a table as the one of the fit was read."""
    from .model import parts

    encoder, _, record = parts(fitted)
    text = {column.name for column in encoder.columns_ if column.is_text} | set(text_too)
    kept = record.reading
    return ReadOptions(
        given["sep"] or kept.get("separator"),
        given["decimal"] or kept.get("decimal", "."),
        given["encoding"] or kept.get("encoding", "utf-8"),
        (*given["na"], *kept.get("na", ())),
        frozenset(text),
        frozenset(copies),
    )


def _frame(columns: dict[str, Any]) -> Any:
    return require("pandas", "cli").DataFrame({name: np.asarray(column) for name, column in columns.items()})


def _text(columns: dict[str, Any], separator: str) -> str:
    text: str = _frame(columns).to_csv(index=False, sep=separator)
    return text


def _encoded(columns: dict[str, Any], suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".npy":
        np.save(buffer, _records(columns))
    elif suffix == ".parquet":
        require("pyarrow", "cli")
        _frame(columns).to_parquet(buffer, index=False)
    elif suffix in (".arrow", ".feather"):
        require("pyarrow", "cli")
        _frame(columns).to_feather(buffer)
    else:
        return _text(columns, "\t" if suffix == ".tsv" else ",").encode()
    return buffer.getvalue()


def _records(columns: dict[str, Any]) -> Any:
    if len(columns) == 1:
        return np.asarray(next(iter(columns.values())))
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    for name, array in arrays.items():
        if array.dtype == object:
            missing = require("pandas", "cli").isna(array)
            arrays[name] = np.array(["" if gone else str(value) for gone, value in zip(missing, array, strict=True)])
    records = np.empty(len(next(iter(arrays.values()))), [(name, array.dtype) for name, array in arrays.items()])
    for name, array in arrays.items():
        records[name] = array
    return records
