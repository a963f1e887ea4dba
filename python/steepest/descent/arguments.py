"""The checks of `minimize`'s arguments, and their conversion for a run."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..arrays.checks import check_count, describe
from ..arrays.interop import place
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability, Objective, device_of_objective, missing, supports, team_of
from ..objectives.softmax import vector_of
from .record import RunSettings
from .stopping import NoImprovement

__all__ = ["batches", "check_early_stopping", "checked_validation", "flat_start", "seed_of", "several"]

_MAX_INDEXED_ROWS = 2**32 - 1
_ALL = 2**62  # more rows than any X has


def seed_of(random_state: Any, objective: Any = None) -> int:
    """Return the 64-bit seed of None (fresh entropy), an int, a SeedSequence or a NumPy generator.

    Of None, all members of the team of an objective get the same one.
    """
    try:
        seed = _seed_of_integer(random_state) if type(random_state) is int else _drawn(random_state)
        return team_of(objective).agree(seed)[0] if random_state is None else seed
    except (TypeError, ValueError):
        expected = "None, an integer of at least 0, a SeedSequence or a NumPy generator"
        raise ValueError(f"random_state must be {expected}, got {describe(random_state)}") from None


def _drawn(random_state: Any) -> int:
    return int(np.random.default_rng(random_state).integers(2**64, dtype=np.uint64))


@functools.lru_cache(maxsize=256)
def _seed_of_integer(random_state: int) -> int:
    """Return the seed of an integer; kept, as a new generator takes as long as a pass over little data."""
    return _drawn(random_state)


def flat_start(w0: Any, objective: Objective) -> Any:
    """Return the start w0 as a vector in host memory."""
    if w0 is not None and device_of_objective(objective) is not None:
        return objective.native.start(vector_of(objective, "w0", w0))  # type: ignore[attr-defined]
    return vector_of(objective, "w0", w0)


def batches(objective: Objective, batch_size: int | None) -> tuple[int, int]:
    """Return the number of rows of a step (0 for all) and the number of steps of an epoch."""
    if batch_size is None:
        return 0, 1
    size = check_count("batch_size", min(batch_size, _ALL) if isinstance(batch_size, int) else batch_size, 1)
    buffers = supports(objective, Capability.BUFFERS)
    if not (buffers or supports(objective, Capability.BATCHES)):
        raise missing(objective, Capability.BATCHES, f"batch_size={batch_size}", "use batch_size=None", ValueError)
    assert isinstance(objective, DataObjective)
    if size >= objective.n_samples:
        return 0, 1
    if objective.n_samples > _MAX_INDEXED_ROWS and not buffers:
        raise ValueError(f"batch_size must be None for more than {_MAX_INDEXED_ROWS:,} rows, got {batch_size}")
    return size, -(-objective.n_samples // size)


def several(name: str, value: Any, kind: type, expected: str) -> Sequence[Any]:
    """Return the items of an argument that is one object of a kind or several; errors say what was expected."""
    items = [value] if isinstance(value, kind) else list(value) if isinstance(value, Iterable) else None
    if items is None or not all(isinstance(item, kind) for item in items):
        a_tolerance = name == "stop" and isinstance(value, float) and 0.0 <= value < math.inf
        hint = f"; use stop=st.stop.GradientNorm({value!r})" if a_tolerance else ""
        raise TypeError(f"{name} must be {expected}, one or several, got {value!r}{hint}")
    return items


def checked_validation(objective: Objective, validation: Any) -> Any:
    """Return the objective of `minimize`'s validation data, without a penalty if it is a loss of data, or None."""
    if isinstance(validation, DataObjective):
        given = validation.X, validation.y, validation.sample_weight
        found: Any = validation.loss_on(*given, offset=validation.offset)
    elif validation is None or (isinstance(validation, Objective) and hasattr(validation, "value")):
        found = validation
    elif isinstance(validation, tuple) and len(validation) in (2, 3) and supports(objective, Capability.DATA):
        X, y, *weight = validation
        if getattr(objective, "offset", None) is not None:
            raise TypeError(
                "validation must be an objective with an offset of its own, as the objective has one, got "
                f"{describe(validation)}"
            )
        try:
            found = objective.loss_on(X, y, *weight)  # type: ignore[attr-defined]
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation: {error}") from None
    else:
        expected = "an objective or a tuple (X, y) or (X, y, sample_weight)"
        raise TypeError(f"validation must be {expected}, got {describe(validation)}")
    on = [device_of_objective(each) for each in (objective, found)]
    if found is not None and on[0] != on[1]:
        raise ValueError(f"validation must be in {place(on[0])}, where the objective is, got {place(on[1])}")
    if found is not None and (found.n_parameters, found.dtype) != (objective.n_parameters, objective.dtype):
        raise ValueError(
            f"validation must have {objective.n_parameters} parameters of {objective.dtype} as the objective has, got "
            f"{found.n_parameters} of {found.dtype}"
        )
    return found


def check_early_stopping(settings: RunSettings) -> None:
    """Raise a ValueError if a stopping rule needs validation data and there are none."""
    if settings.validation is None and any(isinstance(rule, NoImprovement) for rule in settings.stop):
        raise ValueError("stop holds NoImprovement, which needs validation data, got validation=None")
