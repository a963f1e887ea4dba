"""How the commands speak: messages on stderr, and the exit codes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import click

DIVERGED, MISUSED, INTERRUPTED = 1, 2, 130


def say(message: str) -> None:
    """Print one line on stderr."""
    click.echo(f"steepest: {' '.join(message.split())}", err=True)


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Collect the texts of all warnings of a block."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield texts
        finally:
            texts += dict.fromkeys(" ".join(str(each.message).split()) for each in caught)
