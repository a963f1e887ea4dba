"""`Ranks`: the team of a channel."""

from __future__ import annotations

import re
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from ..parts.team import Team
from .channel import Channel, is_told, uninterrupted

__all__ = ["Ranks"]

T = TypeVar("T")
_NONE: Mapping[str, Any] = {}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Ranks(Team):
    """The ranks of a channel. Rank 0 leads. Only its warnings are seen."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.is_alone = channel.size == 1
        self.is_leader = channel.rank == 0
        self._is_interrupted = False

    def agree(self, value: T, flag: bool = False) -> tuple[T, bool]:
        """Return rank 0's value, and whether any rank has raised its flag."""
        if self.is_alone:
            return value, flag
        found: tuple[T, bool] = self._channel.exchange(
            "a decision",
            {},
            lambda: (value if self.is_leader else None, flag),
            lambda first, second: (first[0], first[1] or second[1]),
        )
        return found

    def tick(self, value: T, is_cancelled: bool = False) -> T:
        """Return rank 0's value. Raise KeyboardInterrupt on all ranks if any is cancelled or has had Ctrl-C."""
        value, stops = self.agree(value, is_cancelled or self._is_interrupted)
        if stops:
            self._is_interrupted = False
            raise KeyboardInterrupt
        return value

    def check_same(self, name: str, value: Any) -> None:
        """Raise a RankError on all ranks unless all have the same value."""
        self._meet("an evaluation", {name: value})

    @contextmanager
    def together(self, name: str, facts: Mapping[str, Any] = _NONE) -> Iterator[None]:
        """Run a block that all ranks run. Ctrl-C in it waits for the next `tick`, or for the end of the block."""
        with ExitStack() as stack:
            stack.callback(self._interrupt)
            if not self.is_leader:
                stack.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
            if not self.is_alone:
                stack.enter_context(uninterrupted(self._note))
            self._meet(f"the start of {name}", facts)
            try:
                yield
            except BaseException as error:
                if not is_told(error):
                    self._meet(f"the end of {name}", _NONE, error)
                raise
            else:
                self._meet(f"the end of {name}", _NONE)

    def _note(self) -> None:
        self._is_interrupted = True

    def _interrupt(self) -> None:
        """Let Ctrl-C through that came after the last `tick`. Inside another block it waits on."""
        if self._is_interrupted:
            self._is_interrupted = False
            signal.raise_signal(signal.SIGINT)

    def _meet(self, name: str, facts: Mapping[str, Any], error: BaseException | None = None) -> None:
        def answer() -> None:
            if error is not None:
                raise error

        texts = {what: _ADDRESS.sub("", repr(fact)) for what, fact in facts.items()}
        self._channel.exchange(name, texts, answer, lambda first, second: None)
