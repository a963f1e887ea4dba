"""`PartsData`: parts that memory, files or other processes hold. Passes over them are added along one tree."""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import describe
from ..arrays.device import arithmetic_dtype
from ..arrays.sparse import CSRView, joined
from ..parts.engine import Engine
from ..parts.facts import Facts, TargetFacts
from ..parts.local import LocalEngine
from .columns import Columns
from .held import HostRows, native_objective
from .protocol import Capability
from .questions import AskColumns, AskFacts, AskRows, AskSums, HeldPart
from .source import Terms

__all__ = ["Parts", "PartsData"]

Vector = NDArray[np.float64]
_OF_PARTS = ("hessian", "column_statistics")
_OF_DENSE_PARTS = (*_OF_PARTS, "standardised_blocks")


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of an engine, with their targets and weights, as an objective takes them in the place of X.

    Attributes
    ----------
    engine : Engine
        It asks the parts.
    facts : Facts or None
        The facts of the parts, if they are known.
    classes : array or None
        The labels, where the targets are codes of labels: target i stands for ``classes[i]``.
    feature_names : tuple of str or None
        The names of the columns of X, if they have names.
    columns_of : Parts or None
        Other parts with the same X, whose columns are asked for in the place of these.
    """

    engine: Engine
    facts: Facts | None = None
    classes: NDArray[Any] | None = None
    feature_names: tuple[str, ...] | None = None
    columns_of: Parts | None = None

    @classmethod
    def of(cls, arrays: Iterable[tuple[Any, ...]]) -> Parts:
        """Return parts in this process's memory: tuples of X, y and perhaps weights, as `HeldPart` takes them."""
        held = [HeldPart(index, *each) for index, each in enumerate(arrays)]
        return cls(LocalEngine(len(held), lambda asked: (held[index] for index in asked)))

    @cached_property
    def known(self) -> Facts:
        """The facts of the parts. They are asked for once, unless they are given."""
        found: Facts = self.engine.reduce(AskFacts()) if self.facts is None else self.facts
        return found

    @cached_property
    def columns(self) -> Columns:
        """The means and variances of the columns. They are asked for once, as that costs a pass."""
        if self.columns_of is not None:
            return self.columns_of.columns
        found: Columns = self.engine.reduce(AskColumns())
        return found


@dataclass(frozen=True, eq=False)
class PartsData:
    """Parts that an engine asks. `Data` describes the members."""

    X: Parts
    engine: Engine
    facts: Facts
    shift: float = 0.0
    targets: None = field(default=None, init=False)
    weights: None = field(default=None, init=False)
    device: None = field(default=None, init=False)

    @classmethod
    def checked(cls, X: Parts, y: Any, weight: Any, given: tuple[Any, Any, Any]) -> PartsData:
        """Return the data of parts. The facts are asked for unless they are known."""
        for name, each in (("y", y), ("sample_weight", weight)):
            if each is not None:
                raise TypeError(f"{name} must be None for X in parts, which have their own, got {describe(each)}")
        return cls(X, X.engine, X.known)

    @property
    def n_samples(self) -> int:
        return self.facts.n_samples

    @property
    def n_features(self) -> int:
        return self.facts.n_features

    @property
    def n_elements(self) -> int:
        return self.facts.n_elements

    @property
    def storage(self) -> str:
        return self.facts.storage

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        return arithmetic_dtype(self.storage)

    @property
    def weight_sum(self) -> float:
        return self.facts.weight_sum

    @property
    def least_weight(self) -> float:
        return self.facts.least_weight

    @property
    def target_facts(self) -> TargetFacts:
        """What is known of the targets."""
        return self.facts.targets

    def supports(self, capability: Capability) -> bool:
        return capability in (Capability.STEPS, Capability.SAMPLE)

    def check_targets(self, check: Callable[[Any], None]) -> None:
        """Call a check with numbers that stand for all targets."""
        try:
            check(self.facts.targets.values.astype(self.dtype))
        except ValueError as error:
            raise ValueError(re.sub(r" at index \d+", " in some row", str(error))) from None

    def bind(self, terms: Terms) -> Any:
        key = secrets.token_hex(8)

        def add_up(work: str, *parameters: NDArray[Any]) -> Any:
            return self.engine.reduce(AskSums(work, key, terms, self.shift), *parameters)

        source = _core.parts_source(
            self.dtype.name,
            self.n_samples,
            self.n_features,
            self.n_elements,
            self.weight_sum,
            _OF_PARTS if self.facts.is_sparse else _OF_DENSE_PARTS,
            add_up,
        )
        return native_objective(source, terms._replace(scaling=None))

    def column_statistics(self) -> tuple[Vector, Vector]:
        found = self.X.columns
        return found.mean, np.sqrt(found.variance)

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> HostRows:
        """Return a copy of some rows, in memory."""
        order = np.argsort(index, kind="stable")
        found = self.engine.reduce(AskRows.at(np.asarray(index)[order].astype(np.int64), self.facts.sizes))
        X, y, weight = (_stacked([each[i] for each in found]) for i in range(3))
        data = HeldPart(0, X, y, weight).data
        if self.shift != 0.0:
            data = data.shifted(self.shift)
        total = data.weight_sum if weight_sum is None else weight_sum
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return data.taken(place, total)

    def shifted(self, target: float) -> PartsData:
        """Return the same rows, with a number subtracted from the targets."""
        return dataclasses.replace(self, shift=self.shift + target)


def _stacked(arrays: list[Any]) -> Any:
    if arrays[0] is None:
        return None
    return joined(arrays) if isinstance(arrays[0], CSRView) else np.concatenate(arrays)
