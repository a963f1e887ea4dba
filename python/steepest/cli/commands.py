"""The commands. They parse arguments and print; data, fitting and plots have modules of their own."""

from __future__ import annotations

import runpy
import sys
import warnings
from importlib import resources
from pathlib import Path
from typing import Any

import click
import numpy as np

import steepest as st

from .. import plot
from ..extras import MissingExtraError, require
from ..optimizers.names import DEFAULT_RATES, OPTIMIZERS
from ..optimizers.runner import StopReason
from .fitting import DEFAULT_BATCH_SIZE, QUASI_NEWTON, FitOptions, OptionError, Problem
from .model_file import Model
from .parameters import PICTURE, Number, batch_size_of, output_path
from .saving import saving
from .tables import TableError, load_flights, load_table

DIVERGED, MISUSED, INTERRUPTED = 1, 2, 130
WHY: dict[str, str] = {
    StopReason.GRADIENT_NORM: "the gradient is as small as --tol asks",
    StopReason.NO_IMPROVEMENT: "the validation loss has stopped falling",
    StopReason.MAX_EPOCHS: "all the epochs asked for are done",
    StopReason.MAX_SECONDS: "the time given is over",
    StopReason.INTERRUPTED: "Ctrl-C was pressed",
    StopReason.PRECISION: "the arithmetic allows no lower loss",
    StopReason.ROUNDING: "rounding hides the way down",
    StopReason.SEPARABLE: "separable classes have no minimum without a penalty",
}
# "precision" is as far as any run can get. The validation loss ends a run only if the user asked for it.
CONVERGED = (StopReason.GRADIENT_NORM, StopReason.PRECISION, StopReason.NO_IMPROVEMENT)


class OneLineErrors(click.Group):
    """A group of commands. An error of a command becomes one line on stderr and an exit code."""

    def main(self, *args: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except click.ClickException as error:
            code = _fail(error.format_message(), MISUSED)
        except (TableError, OptionError, MissingExtraError, OSError, ValueError) as error:
            code = _fail(str(error), MISUSED)
        except MemoryError as error:
            code = _fail(f"out of memory: {error}", MISUSED)
        except click.Abort:
            code = _fail("interrupted", INTERRUPTED)
        sys.exit(code)


def _say(message: str) -> None:
    click.echo(f"steepest: {' '.join(message.split())}", err=True)


def _fail(message: str, code: int) -> int:
    _say(message)
    return code


@click.group(cls=OneLineErrors, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(st.__version__, prog_name="steepest")
@click.pass_context
def steepest(context: click.Context) -> None:
    """Fast gradient descent for least-squares and logistic models."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@steepest.command()
@click.option(
    "--plot",
    "picture",
    type=PICTURE,
    default="steepest-demo.png",
    metavar="OUT.png",
    show_default=True,
    help="Where to draw the loss curve.",
)
@click.option("--max-epochs", type=click.IntRange(min=1), default=40, show_default=True)
@click.option("--random-state", type=click.IntRange(min=0), default=0, show_default=True)
def demo(picture: Path, max_epochs: int, random_state: int) -> int:
    """Fit a logistic model to 327,346 real flights, to predict which of them are late."""
    options = FitOptions(
        "logistic",
        optimizer="adam",
        batch_size=4096,
        max_epochs=max_epochs,
        validation_fraction=0.2,
        patience=5,
        random_state=random_state,
    )
    problem = Problem(load_flights(), options)
    on_time = 1 - float(np.mean(problem.training.y))
    click.echo("Flights that left New York in 2013: which arrive more than 15 minutes late?")
    click.echo(f"(The answer 'none' has accuracy {on_time:.3f}.)")
    return _fit(problem, model=None, picture=picture, quiet=False)


@steepest.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--target", help="Column to predict (an index for NPY).  [default: y for NPZ and svmlight]")
@click.option("--loss", required=True, type=click.Choice(["logistic", "least-squares"]))
@click.option("--drop", multiple=True, metavar="COLUMN", help="Leave out a column; may be repeated.")
@click.option("--text", multiple=True, metavar="COLUMN", help="Read a column as text, such as codes; may be repeated.")
@click.option("--optimizer", type=click.Choice([QUASI_NEWTON, *OPTIMIZERS]), default=QUASI_NEWTON, show_default=True)
@click.option(
    "--learning-rate",
    type=Number(min=0, min_open=True),
    help="A constant rate.  [default, for " + ", ".join(DEFAULT_RATES) + ": a rate that falls to 0 over the run]",
)
@click.option(
    "--batch-size",
    type=batch_size_of,
    default="auto",
    metavar="INTEGER|all",
    show_default=f"all for quasi-newton, else {DEFAULT_BATCH_SIZE}",
    help="Rows of a step.",
)
@click.option("--max-epochs", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--max-seconds", type=Number(min=0, min_open=True))
@click.option("--alpha", type=Number(min=0), default=0.0, show_default=True, help="Strength of the penalty.")
@click.option("--l1-ratio", type=Number(min=0, max=1), default=0.0, show_default=True, help="L1 share of the penalty.")
@click.option(
    "--validation-fraction",
    type=Number(min=0, max=1, max_open=True),
    default=0.1,
    show_default=True,
    help="Part of the rows to hold out; the parameters with the lowest loss on them are kept.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Stop after this many epochs without a lower validation loss.",
)
@click.option("--tol", type=Number(min=0), default=1e-6, show_default=True, help="Stop at this gradient norm.")
@click.option("--standardize/--no-standardize", default=True, show_default=True, help="Descend on scaled columns.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float64", show_default=True)
@click.option("--random-state", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--model", type=output_path(".json"), metavar="OUT.json", help="Where to write the model.")
@click.option("--plot", "picture", type=PICTURE, metavar="OUT.png", help="Where to draw the loss curve.")
@click.option("--quiet", is_flag=True, help="Print warnings and errors only.")
def fit(table: Path, model: Path | None, picture: Path | None, quiet: bool, **options: Any) -> int:
    """Fit a model to TABLE: CSV, Parquet, NPY, NPZ or svmlight."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        problem = Problem(load_table(table, text=options["text"]), FitOptions(**options))
    for warning in caught:
        _say(str(warning.message))
    return _fit(problem, model, picture, quiet)


def _fit(problem: Problem, model: Path | None, picture: Path | None, quiet: bool) -> int:
    if picture:
        require("matplotlib", "plot")
    if not quiet:
        require("tqdm", "cli")
        _describe(problem)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = problem.descend(progress=not quiet)
    diverged = result.stop_reason == StopReason.DIVERGED
    for warning in caught:
        # When a run diverges, NumPy's warnings of overflow add nothing.
        if not diverged or issubclass(warning.category, st.DivergenceWarning):
            _say(str(warning.message))
    if diverged:
        return DIVERGED
    if not quiet:
        _report(problem, result)
    if result.stop_reason not in CONVERGED:
        norm = float(result.history["gradient_norm"][-1])
        why = WHY.get(result.stop_reason, result.stop_reason)
        _say(f"not converged: {why}; the norm of the gradient is {norm:.2g}, --tol asks for {problem.options.tol:g}")
    if model:
        problem.model(result.w).save(model)
    if picture:
        _draw(result, picture)
    for path in filter(None, (model, picture)):
        if not quiet:
            click.echo(f"wrote {path}")
    return INTERRUPTED if result.stop_reason == StopReason.INTERRUPTED else 0


def _describe(problem: Problem) -> None:
    held_out = len(problem.held_out.y) if problem.held_out else 0
    rows, features = problem.training.X.shape
    click.echo(f"{rows:,} rows to train on, {held_out:,} held out; {features:,} features; target '{problem.target}'")
    if problem.classes:
        click.echo(f"probability of {problem.classes[1]!r} against {problem.classes[0]!r}")


def _report(problem: Problem, result: Any) -> None:
    seconds = float(result.history["seconds"][-1])
    rate = f", {result.n_epochs / seconds:.1f} epochs a second" if seconds > 0 else ""
    why = WHY.get(result.stop_reason, "")
    click.echo(f"stopped after {result.n_epochs} epochs ({seconds:.2f} s{rate}): {result.stop_reason}, {why}")
    columns = {"training": {"loss": result.value, **problem.scores(result.w, problem.training)}}
    if problem.held_out:
        loss = float(np.nanmin(result.history["validation_loss"]))
        columns["held out"] = {"loss": loss, **problem.scores(result.w, problem.held_out)}
        click.echo(f"best epoch: {result.best_epoch}")
    click.echo(" " * 24 + "".join(f"{name:>14}" for name in columns))
    for name in columns["training"]:
        click.echo(f"{name:24}" + "".join(f"{scores[name]:14.6g}" for scores in columns.values()))


def _draw(result: Any, picture: Path) -> None:
    # A Figure without pyplot needs no window system.
    figure = require("matplotlib.figure", "plot").Figure(figsize=(7.2, 4.4), layout="constrained")
    plot.loss_curve(result, ax=figure.subplots())
    with saving(picture) as file:
        figure.savefig(file, format=picture.suffix[1:].lower(), dpi=160)


@steepest.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=output_path(".csv", ".npy"),
    metavar="OUT.csv|OUT.npy",
    help="Where to write the predictions.  [default: CSV to stdout]",
)
def predict(model: Path, table: Path, output: Path | None) -> None:
    """Apply a MODEL that `fit` wrote to TABLE.

    A least-squares model gives the prediction. A logistic model gives the probability of the second class, and the
    more probable class. An NPY file holds an array of numbers, or of records with these two fields.
    """
    fitted = Model.load(model)
    columns = fitted.predict(load_table(table, text=fitted.categories))
    if output is None:
        click.echo(_csv(columns), nl=False)
        return
    with saving(output) as file:
        if output.suffix.lower() == ".npy":
            np.save(file, _records(columns))
        else:
            file.write(_csv(columns).encode())


def _csv(columns: dict[str, Any]) -> str:
    text: str = require("pandas", "cli").DataFrame(columns).to_csv(index=False)
    return text


def _records(columns: dict[str, Any]) -> Any:
    if len(columns) == 1:
        return next(iter(columns.values()))
    records = np.empty(len(columns["class"]), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        records[name] = column
    return records


def benchmark_folder() -> Path:
    """Return the folder of the benchmarks: the one in the installed package, or the one in the checkout."""
    packaged = Path(str(resources.files("steepest"))) / "benchmarks"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "benchmarks"


@steepest.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(name: str | None, arguments: tuple[str, ...]) -> None:
    """Run the benchmark NAME with its ARGUMENTS. Without a name, list all benchmarks."""
    folder = benchmark_folder()
    names = sorted(path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py"))
    if name is None:
        click.echo("\n".join(names) or "no benchmarks installed")
        return
    if name not in names:
        raise click.UsageError(f"no benchmark '{name}'; expected one of: {', '.join(names) or 'none installed'}")
    script = folder / f"bench_{name}.py"
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(folder))
    try:
        runpy.run_path(str(script), run_name="__main__")
    except ModuleNotFoundError as error:
        raise MissingExtraError(f'{error.name} is not installed: pip install "steepest[bench]"') from error


@steepest.command()
def info() -> None:
    """Print the instruction sets, threads and devices that steepest uses."""
    click.echo(st.info())
