"""The checkpoint of a run: when it is written, what it holds of the run, and how the run goes on from it."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from .. import _core
from ..arrays.checks import check_number
from ..checkpoint.file import CheckpointFile
from ..checkpoint.format import Contents, State
from ..optimizers.runner import StopReason
from ..parts.team import ALONE, Team
from ..runtime import installed_version
from ..warnings import CheckpointWarning, levels_outside
from .identity import difference, numbers_of_rules
from .record import Row
from .stopping import Progress, StopRule

__all__ = ["Checkpoints", "Phase"]

_COUNTS = ("n_epochs", "best_row", "evaluated_steps", "epoch_end")
_NUMBERS = ("last_rate", "lowest", "evaluation_seconds")
_ARRAYS = ("previous_w", "best_w")
_PAUSE = 50  # between two notes, in times that one took


class Phase(StrEnum):
    """How far a run is in its epoch."""

    BETWEEN = "between"  # epochs
    STEPPING = "stepping"
    STEPPED = "stepped"  # through an epoch, which may still be evaluated


class Checkpoints:
    """Writes the checkpoints of a run, and takes the run back to where the last one was written.

    Parameters
    ----------
    path : str or PathLike
        The file.
    seconds : float
        The longest time between two checkpoints, up to the time between two looks; 0 for one after each epoch.
    team : Team
        The processes of the run. Its leader alone reads and writes the file.
    """

    def __init__(self, path: Any, seconds: Any, team: Team = ALONE) -> None:
        self.seconds, self._is_leader = check_number("checkpoint_seconds", seconds, least=0.0), team.is_leader
        with team.together("checkpoint"):
            self._file = CheckpointFile(path)
            self._found, _ = team.agree(self._file.load() if team.is_leader else None)
        self._identity: dict[str, str] = {}
        self._own: State = {}
        self._next = 0.0
        self._written = (-1, "")  # steps and phase of the newest
        self._noted: State | None = None  # a later state, for an interruption
        self._next_note = 0.0

    @property
    def seed(self) -> int | None:
        """The seed of the run in the file; None if there is no file."""
        state: dict[str, Any] = {} if self._found is None else self._found.state
        return state.get("seed")

    def begin(self, identity: dict[str, str], seed: int, rules: Sequence[StopRule]) -> None:
        """Check that the file, if there is one, is of the run that this identity is of."""
        places = {"version": installed_version(), "isa": _core.isa_level()}
        self._identity, self._own = identity, {"seed": seed, "rule numbers": numbers_of_rules(rules), **places}
        self._next = time.perf_counter() + self.seconds
        if self._found is None:
            return
        told = difference(self._identity, self._found.fits)
        if told:
            raise ValueError(
                f"checkpoint {str(self._file.path)!r} must be of this problem and these settings, got another run's "
                f"({told}). Nothing was changed. Give another path, or remove the file to start again"
            )
        told = difference(places, {name: str(self._found.state[name]) for name in places})
        if told:
            text = f"checkpoint {str(self._file.path)!r} was written elsewhere ({told}); bits may differ from here on"
            warnings.warn(text, CheckpointWarning, stacklevel=levels_outside())

    def resume(self, run: Any) -> str | None:
        """Take a run to where the file left it, which may be its end. Return the reason of the end, or None."""
        assert self._found is not None
        state, self._found = self._found.state, None
        reason = resume(run, state, self._own["rule numbers"])
        self._written = run.runner.n_steps, run.phase
        return reason

    @property
    def has_one(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self._found is not None

    def due(self) -> bool:
        """Return whether it is time to write one, and for this process to do it."""
        return self._is_leader and time.perf_counter() >= self._next

    def note(self, run: Any) -> None:
        """Keep a copy of the state in memory, which is written if Ctrl-C comes.

        The next copy waits until the run has gone on for 50 times as long as this one took.
        """
        start = time.perf_counter()
        if not self._is_leader or start < self._next_note:
            return
        self._noted = copy.deepcopy(state_of(run, None))
        now = time.perf_counter()
        self._next_note = now + _PAUSE * (now - start)

    def write_noted(self) -> None:
        """Write the state that was noted last, unless a later one is written."""
        if self._noted is not None:
            self._save(self._noted)

    def write(self, run: Any, reason: str | None) -> None:
        """Write one. ``reason`` is why the run has ended, if it has.

        Where the disk fails, the run goes on with a warning, and tries again after the same time.
        """
        if not self._is_leader:
            return
        if self._save(state_of(run, reason)):
            self._written = run.runner.n_steps, run.phase
        self._next = time.perf_counter() + self.seconds

    def _save(self, state: State) -> bool:
        """Write a state. Return whether that went well."""
        try:
            self._file.save(Contents(self._identity, {**state, **self._own}))
        except OSError as error:
            text = f"checkpoint {str(self._file.path)!r} could not be written: {error}. The run goes on without it"
            warnings.warn(text, CheckpointWarning, stacklevel=levels_outside())
            return False
        self._noted = None
        return True

    def write_last(self, run: Any, reason: str | None) -> None:
        """Write one at the end of a run, unless the newest is of the same place."""
        if reason is not None or self._written != (run.runner.n_steps, run.phase):
            self.write(run, reason)


def state_of(run: Any, reason: str | None) -> State:
    """Return all that the next steps of a run, and its result, depend on. ``reason`` is why it has ended, if it has."""
    if run.path is not None:
        run.path = [np.concatenate(run.path)]
    rows = [[np.nan if each is None else each for each in row] for row in run.rows]
    state: State = {name: int(getattr(run, name)) for name in _COUNTS}
    state |= {name: float(getattr(run, name)) for name in _NUMBERS}
    state |= {name: getattr(run, name) for name in _ARRAYS if getattr(run, name) is not None}
    state |= {
        "phase": str(run.phase),
        "reason": None if reason is None else str(reason),
        "fired": run.fired,
        "change": run.change,
        "seconds": time.perf_counter() - run.started,
        "rows": np.array(rows, dtype=np.float64).reshape(-1, len(Row._fields)),
    }
    if run.path is not None:
        state["path"] = run.path[0]
    for name, part in _parts_of(run).items():
        state |= {f"{name}/{key}": each for key, each in part.state().items()}
    for number, before in enumerate(run.rules_before):
        state |= {f"rule {number} before/{key}": each for key, each in before.items()}
    return state


def _parts_of(run: Any) -> dict[str, Any]:
    """Return the parts of a run that have a state of their own, by name."""
    parts = {"runner": run.runner, "watch": run.watch} | ({} if run.auto is None else {"auto": run.auto})
    return parts | {f"rule {number}": rule for number, rule in enumerate(run.settings.stop)}


def _part(state: dict[str, Any], name: str) -> dict[str, Any]:
    return {key.removeprefix(f"{name}/"): each for key, each in state.items() if key.startswith(f"{name}/")}


def resume(run: Any, state: dict[str, Any], numbers: Any) -> str | None:
    """Take a run to a `state_of` it. Return the reason why it has ended, or None if it can go on.

    Where a callback ended it, the callbacks are asked again. So are the rules where these are not their numbers.
    """
    if state["n_epochs"] > run.settings.max_epochs:
        raise ValueError(
            f"max_epochs must be at least the {state['n_epochs']} epochs of the run in checkpoint, got "
            f"{run.settings.max_epochs}"
        )
    for name in (*_COUNTS, *_NUMBERS, "fired", "change"):
        setattr(run, name, state[name])
    for name in _ARRAYS:
        setattr(run, name, state.get(name))
    run.phase = Phase(state["phase"])
    run.started = time.perf_counter() - state["seconds"]
    validated = run.settings.validation is not None
    for epoch, loss, norm, rate, seconds, validation in state["rows"].tolist():
        run.rows.append(Row(int(epoch), loss, norm, rate, seconds, validation if validated else None))
    if math.isnan(run.last_rate) and run.settings.max_epochs > 0:  # a run of no epochs has no rate
        run.last_rate = float(run.rates(0, 1)[0])
        run.rows[0] = run.rows[0]._replace(learning_rate=run.last_rate)
    if run.path is not None:
        run.path = [state["path"]]
    for name, part in _parts_of(run).items():
        part.resume(_part(state, name))
    run.rules_before = [_part(state, f"rule {number} before") for number in range(len(run.settings.stop))]
    reason = None if state["reason"] is None else str(state["reason"])
    if state["rule numbers"] != numbers:
        reason = _rules_asked_again(run, reason)
    if reason == StopReason.CALLBACK:
        progress, callbacks = _progress_of(run), run.settings.callbacks
        ended = [answer is True or answer is np.True_ for answer in (callback(progress) for callback in callbacks)]
        return reason if run.team.agree(None, any(ended))[1] else run.runner.finished
    return reason


def _rules_asked_again(run: Any, reason: str | None) -> str | None:
    """Ask rules whose numbers have changed about the last evaluated epoch. Return the reason to end there, or None."""
    for rule, before in zip(run.settings.stop, run.rules_before, strict=True):
        rule.resume(before)
    progress = _progress_of(run)
    fired = [rule.reason for rule in run.settings.stop if rule(progress)]
    was_fired, run.fired = run.fired, bool(fired)
    found, _ = run.team.agree(str(fired[0]) if fired else None)
    return found or (run.runner.finished if was_fired else reason)


def _progress_of(run: Any) -> Progress:
    """Return what rules and callbacks were told of the last evaluated epoch."""
    row: Row = run.rows[-1]
    return Progress(
        row.epoch, run.evaluated_steps, run.previous_w.copy(), *row[1:], run.change, run.runner.scaled_gradient_norm()
    )
