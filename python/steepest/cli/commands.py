"""The group of commands, its errors, and the commands `bench` and `info`."""

from __future__ import annotations

import runpy
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import click

import steepest as st

from ..extras import MissingExtraError, missing
from .fit_command import demo, fit
from .model_commands import evaluate, explain, predict
from .speech import INTERRUPTED, MISUSED, say
from .tables import OptionError, TableError


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
        except (click.Abort, KeyboardInterrupt):
            code = _fail("interrupted", INTERRUPTED)
        sys.exit(code)


def _fail(message: str, code: int) -> int:
    say(message)
    return code


@click.group(cls=OneLineErrors, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(st.__version__, prog_name="steepest")
@click.pass_context
def steepest(context: click.Context) -> None:
    """Fast linear, logistic and softmax models by gradient descent: C++ kernels under a small Python API."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def benchmark_folder() -> Path:
    """Return the folder of the benchmarks: the one in the installed package, or the one in the checkout."""
    packaged = Path(str(resources.files("steepest"))) / "benchmarks"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "benchmarks"


@steepest.command(
    short_help="Run a benchmark.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
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
        raise missing(error.name or "a package", "bench") from error


@steepest.command(short_help="Print instruction sets, threads and devices.")
def info() -> None:
    """Print the instruction sets, threads and devices that steepest uses."""
    click.echo(st.info())


for command in (fit, predict, evaluate, explain, demo):
    steepest.add_command(command)
