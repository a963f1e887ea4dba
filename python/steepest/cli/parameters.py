"""The types of the command line's options. Each converts a text to a value, or says what was expected."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click


class Number(click.FloatRange):
    """A finite number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"expected a finite number, got {value}", param, ctx)
        return number


class LossName(click.ParamType):  # type: ignore[type-arg]
    """The name of a loss that the estimators offer. They are imported when a name is given, as that takes long."""

    name = "loss"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from .targets import losses

        names = losses()
        if value not in names:
            self.fail(f"'{value}' is not one of {', '.join(map(repr, names))}.", param, ctx)
        return str(value)


class LossOption(click.Option):
    """An option whose help lists the losses that the estimators offer."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from .targets import losses

        self.help = f"{', '.join(losses())}.  [default: what suits the target]"
        return super().get_help_record(ctx)


class OfferedOption(click.Option):
    """An option that the help leaves out if `LinearRegressor` has no parameter of its name."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from .targets import regressor_parameters

        return super().get_help_record(ctx) if self.name in regressor_parameters() else None


def batch_size_of(text: str) -> int | Literal["auto"] | None:
    """Return the batch size that a text names: a number of rows, None for "all", or "auto"."""
    if text == "auto":
        return "auto"
    if text == "all":
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise click.BadParameter(f"expected a positive integer or 'all', got '{text}'")
    return int(text)


def output_path(*suffixes: str) -> Callable[[str], Path]:
    """Return a check of output file names. A name must end in one of the suffixes, and its folder must exist."""

    def to_path(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            raise click.BadParameter(f"expected a name that ends in {' or '.join(suffixes)}, got '{text}'")
        if not path.parent.is_dir():
            raise click.BadParameter(f"there is no folder '{path.parent}'")
        return path

    return to_path


PICTURE = output_path(".png", ".pdf", ".svg")


def streaming_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that decide whether rows are read in parts."""
    options = (
        click.option(
            "--memory",
            metavar="SIZE",
            help='Rows that would need more memory, such as "4 GB", are read in parts, which then need no more.  '
            "[default: half of the free memory]",
        ),
        click.option(
            "--stream/--no-stream", default=None, help="Read rows in parts, or all at once, whatever they need."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how to read a table that is text."""
    options = (
        click.option(
            "--sep", metavar="CHARACTER", help="Character between fields of text.  [default: , or tab (.tsv)]"
        ),
        click.option("--decimal", metavar="CHARACTER", help="Character before the decimals.  [default: .]"),
        click.option("--encoding", metavar="NAME", help="Encoding of text.  [default: utf-8]"),
        click.option(
            "--na",
            multiple=True,
            metavar="STRING",
            help="A field that means a missing value, besides empty ones, NA, NaN, null ...; may be repeated.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
