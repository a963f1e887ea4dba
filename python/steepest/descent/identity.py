"""What a run is: all that its bits depend on, as texts by name. A checkpoint is of the same run if they are equal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.digest import digest_of
from ..objectives.protocol import Capability, missing
from ..optimizers.base import Optimizer
from ..optimizers.runner import StepPlan
from ..quasi_newton.optimizer import QuasiNewton
from .record import RunSettings
from .stopping import StopRule

__all__ = ["check_rules", "difference", "identity_of", "numbers_of_rules"]


def identity_of(
    objective: Any,
    w: NDArray[Any],
    optimizer: Optimizer | QuasiNewton,
    settings: RunSettings,
    plan: StepPlan,
    constraint: Any,
    drawn: bool,
) -> dict[str, str]:
    """Return the texts of a run from w. ``drawn`` says that no seed was given, so a resumed run takes the first one's.

    Limits are not among them: the most epochs and seconds, and the numbers of stopping rules.
    """
    found = _of_objective(objective, "")
    found["start"] = digest_of(w)
    found["optimizer"] = type(optimizer).__qualname__
    if isinstance(optimizer, Optimizer):
        own = optimizer.state_dict()
        found |= {f"optimizer {name}": described(each) for name, each in own["hyperparameters"].items()}
        found["optimizer rule"] = own["rule"]
    shuffled = plan.batch_size > 0 and plan.shuffle
    found["batch_size"] = str(plan.batch_size or None)
    found["shuffle"] = str(shuffled)
    found["random_state"] = "None" if drawn else f"seed {plan.seed}" if shuffled else "any"
    found["constraint"] = described(constraint)
    found["evaluate_every"] = str(settings.evaluate_every)
    found["record_path"] = str(settings.record_path)
    found["stop"] = ", ".join(type(rule).__qualname__ for rule in settings.stop) or "none"
    if settings.validation is None:
        return found | {"validation": "None"}
    return found | _of_objective(settings.validation, "validation ")


def _of_objective(objective: Any, before: str) -> dict[str, str]:
    """Return the texts of an objective. The name of each begins with ``before``."""
    found = {
        "objective": f"{type(objective).__module__}.{type(objective).__qualname__}",
        "n_parameters": str(objective.n_parameters),
        "dtype": str(np.dtype(objective.dtype)),
        "function": str(getattr(objective, "name", "none")),
    }
    data = getattr(objective, "data", None)
    if data is not None:
        if not data.supports(Capability.DIGESTS):
            raise missing(objective, Capability.DIGESTS, "checkpoint", "use checkpoint=None")
        terms = objective.terms._asdict()
        if objective.offset is None:
            del terms["constant"]
        for name in ("penalty_weight", "row_offsets"):
            if terms[name] is None:
                del terms[name]
        found |= {name: described(each) for name, each in terms.items() if name not in ("l1", "l2")}
        found |= {"alpha": described(objective.alpha), "l1_ratio": described(objective.l1_ratio)}
        found["precision"] = f"{described(objective.given_eps)} {objective.is_conditioned}"
        found |= data.digests()
    return {before + name: text for name, text in found.items()}


def described(value: Any) -> str:
    """Return a text that is the same for equal values in every process."""
    if value is None or isinstance(value, str | bool | np.bool_):
        return repr(value) if isinstance(value, str) else str(value)
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value))
    if isinstance(value, np.ndarray):
        return digest_of(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={described(each)}" for name, each in value.items()) or "none"
    if isinstance(value, tuple | list):
        return ", ".join(map(described, value))
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return f"{name}({', '.join(f'{field}={described(getattr(value, field))}' for field in fields)})"
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return name


def numbers_of_rules(rules: Sequence[StopRule]) -> str:
    """Return the numbers that stopping rules were given, such as their tolerances."""
    return "; ".join(
        ", ".join(f"{name}={described(each)}" for name, each in vars(rule).items() if _is_number(name, each))
        for rule in rules
    )


def _is_number(name: str, value: Any) -> bool:
    return not name.startswith("_") and isinstance(value, Real)


def check_rules(rules: Sequence[StopRule]) -> None:
    """Raise a TypeError if a rule remembers something of which a checkpoint would not know."""
    for rule in rules:
        kind = type(rule)
        if kind.reset is not StopRule.reset and kind.state is StopRule.state:
            raise TypeError(
                f"stop must hold rules with the methods state and resume for a checkpoint if they have reset, got one "
                f"of {kind.__name__} without state"
            )


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return what differs between the run that is expected and the one found, in words; "" if nothing does."""
    names = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    if not names:
        return ""
    told = [f"{name}: expected {expected.get(name)}, found {found.get(name)}" for name in names[:3]]
    more = f"; and {len(names) - 3} others" if len(names) > 3 else ""
    return "; ".join(told) + more
