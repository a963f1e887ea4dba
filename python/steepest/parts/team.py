"""`Team`: the processes that run the same program over an engine's parts, and must decide alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["ALONE", "Team"]

T = TypeVar("T")
_NONE: Mapping[str, Any] = {}


class Team:
    """A process alone: it decides by itself. An engine over ranks has a subclass as its ``team``.

    All members call each method at the same place of the same program. Totals of `Engine.reduce` are the same for all
    of them, and so is what follows from totals. What follows from a clock, from Ctrl-C, from a user's function or from
    chance has to be agreed.

    Attributes
    ----------
    is_alone : bool
        Whether there are no other members.
    is_leader : bool
        Whether this is the one member that writes files, warns and shows a bar.
    """

    is_alone = True
    is_leader = True

    def agree(self, value: T, flag: bool = False) -> tuple[T, bool]:
        """Return the leader's value, and whether any member has raised its flag."""
        return value, flag

    def tick(self, value: T, is_cancelled: bool = False) -> T:
        """Return the leader's value, such as the time. Raise KeyboardInterrupt in all members if any is cancelled."""
        if is_cancelled:
            raise KeyboardInterrupt
        return value

    def check_same(self, name: str, value: Any) -> None:
        """Raise an error in all members unless all have the same value, of which the repr is compared."""

    @contextmanager
    def together(self, name: str, facts: Mapping[str, Any] = _NONE) -> Iterator[None]:
        """Run a block that all members run, with the same facts by name, of which the reprs are compared.

        An error that ends the block in one member ends it in all.
        """
        yield


ALONE = Team()
