"""Parts whose targets or weights are changed where they are held: labels become numbers, and rows are held out."""

from __future__ import annotations

import dataclasses
import secrets
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView
from ..parts.engine import Engine, Question
from ..parts.facts import Facts, TargetFacts
from .columns import Columns
from .file_data import in_memory
from .held import HostRows
from .parts import Parts, Reader
from .questions import HeldPart

__all__ = ["AskTargets", "HeldOut", "LabelNumbers", "Preparation", "TargetUnits", "prepared"]

Vector = NDArray[np.float64]


class Preparation(Protocol):
    """A change of the targets or the weights of a part. It is pickled, where parts are in other processes."""

    def of(self, data: HostRows, index: int) -> HostRows:
        """Return the changed rows of the part at an index. X is not copied."""
        ...

    def facts(self, facts: Facts) -> Facts | None:
        """Return the facts of the changed parts, or None if they must be asked for."""
        ...


def prepared(parts: Parts, preparation: Preparation, columns_of: Parts | None = None) -> Parts:
    """Return the same parts with changed targets or weights.

    Each part is changed where it is held, when it is first asked, and keeps the changed targets and weights.

    Parameters
    ----------
    parts : Parts
        The parts to change.
    preparation : Preparation
        The change.
    columns_of : Parts, optional
        Parts with the same X, whose statistics of the columns may be taken for those of the changed parts.
    """
    changed = _Changed(preparation, secrets.token_hex(8))
    return dataclasses.replace(
        parts,
        engine=_PreparedEngine(parts.engine, changed),
        facts=preparation.facts(parts.known),
        reader=None if parts.reader is None else _prepared_reader(parts.reader, changed),
        columns_of=columns_of,
    )


def _prepared_reader(reader: Reader, changed: _Changed) -> Reader:
    return Reader(reader.capacity, lambda order: map(changed.part, reader.read(order)))


@dataclass(frozen=True, eq=False)
class _Changed:
    """Changes parts, which keep the changed ones under a key."""

    preparation: Preparation
    key: str

    def part(self, part: HeldPart) -> HeldPart:
        found: HeldPart = part.kept(self.key, lambda: self._made(part))
        return found

    def _made(self, part: HeldPart) -> HeldPart:
        data = self.preparation.of(part.data, part.index)
        return HeldPart(part.index, data.X, data.targets, data.weights)


@dataclass(frozen=True, eq=False)
class _PreparedEngine:
    """An engine whose parts are changed before they answer."""

    engine: Engine
    changed: _Changed

    def n_parts(self) -> int:
        return self.engine.n_parts()

    def reduce(self, question: Question, *arrays: NDArray[np.generic]) -> Any:
        return self.engine.reduce(_AskPrepared(question, self.changed), *arrays)

    def close(self) -> None:
        self.engine.close()


@dataclass(frozen=True, eq=False)
class _AskPrepared:
    """Asks changed parts."""

    question: Question
    changed: _Changed

    @property
    def asks(self) -> frozenset[int] | None:
        return self.question.asks

    @property
    def is_pass(self) -> bool:
        takes_rows = getattr(self.changed.preparation, "takes_rows", False)
        return getattr(self.question, "is_pass", False) and not takes_rows

    def of(self, part: HeldPart, *arrays: NDArray[Any]) -> Any:
        return self.question.of(self.changed.part(part), *arrays)

    def add(self, first: Any, second: Any) -> Any:
        return self.question.add(first, second)


@dataclass(frozen=True, eq=False)
class LabelNumbers:
    """Puts numbers in the place of labels, and multiplies the weights by a factor of the label.

    Attributes
    ----------
    labels : array of shape (k,), float64
        The targets, sorted.
    numbers : array of shape (k,), float64
        What each becomes.
    factors : array of shape (k,), float64, or None
        The factors of the weights. None: all are 1.
    """

    labels: Vector
    numbers: Vector
    factors: Vector | None = None

    def of(self, data: HostRows, index: int) -> HostRows:
        """Return the rows with numbers as targets.

        Raises
        ------
        ValueError
            A target is not among the labels.
        """
        places = self._places(data.targets)
        foreign = self.labels[places] != data.targets
        if foreign.any():
            wrong = data.targets[int(np.argmax(foreign))]
            raise ValueError(f"y must hold the labels {self.labels} only, got {wrong:g} in part {index}")
        data = data.with_targets(self.numbers.astype(data.targets.dtype)[places])
        if self.factors is None:
            return data
        factors = self.factors.astype(data.targets.dtype)[places]
        return _weighted(data, factors if data.weights is None else factors * data.weights)

    def facts(self, facts: Facts) -> Facts | None:
        """Return the facts of the numbers. If rows have weights and factors too, only the parts know their squares."""
        if self.factors is not None and facts.has_weights:
            return None
        known = facts.targets
        numbers, totals = self._changed(known.values, known.totals)
        values, places = np.unique(numbers, return_inverse=True)
        squares = known.sums[3] if self.factors is None else np.sum(known.totals * self._factors(known.values) ** 2)
        totals = np.bincount(places, totals, minlength=len(values)).astype(np.float64)
        sums = np.array([totals.sum(), totals @ values, totals @ values**2, squares])
        targets = TargetFacts(values, totals, sums, *self._changed(known.sample, known.sample_weights))
        if self.factors is None:
            return dataclasses.replace(facts, targets=targets)
        least = float(np.min(self.factors, where=self.factors > 0, initial=np.inf))
        return dataclasses.replace(facts, targets=targets, has_weights=True, least_weight=least)

    def _places(self, targets: NDArray[Any]) -> NDArray[np.intp]:
        return np.searchsorted(self.labels, targets).clip(max=len(self.labels) - 1)

    def _factors(self, targets: NDArray[Any]) -> Vector:
        return np.ones(len(targets)) if self.factors is None else self.factors[self._places(targets)]

    def _changed(self, targets: Vector, weights: Vector) -> tuple[Vector, Vector]:
        return self.numbers[self._places(targets)], weights * self._factors(targets)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Holds out random rows of every part.

    The seed, the number of the part and its rows decide which, wherever the part is.

    Attributes
    ----------
    fraction : float
        The fraction of the rows of a part.
    seed : int
    held : bool
        True: copies of the rows that are held out. False: all rows, with weight 0 for those held out.
    """

    fraction: float
    seed: int
    held: bool

    @property
    def takes_rows(self) -> bool:
        """Whether rows are copied, which then must be in memory."""
        return self.held

    def of(self, data: HostRows, index: int) -> HostRows:
        random, n = np.random.default_rng((self.seed, index)), data.n_samples
        chosen = random.permutation(n)[: min(int(self.fraction * n + random.random()), n)]
        weight = np.ones(n, data.targets.dtype) if data.weights is None else data.weights.copy()
        if not self.held:
            weight[chosen] = 0
            return _weighted(data, weight)
        data = in_memory(data)
        if len(chosen) == 0:  # a part has at least one row
            chosen, weight = np.zeros(1, np.intp), np.zeros_like(weight)
        rows = np.sort(chosen)
        X = data.X.take(rows) if isinstance(data.X, CSRView) else np.ascontiguousarray(data.X[rows])
        return _weighted(dataclasses.replace(data, X=X, targets=data.targets[rows]), weight[rows])

    def facts(self, facts: Facts) -> None:
        """Return None, as only the parts know the targets of their rows."""


@dataclass(frozen=True, eq=False)
class TargetUnits:
    """Takes targets y to (y - centre) / 2^exponent.

    Attributes
    ----------
    centre : float
    exponent : int
    of_targets : Columns
        Mean and deviation of the targets, each of shape (1,).
    """

    centre: float
    exponent: int
    of_targets: Columns = field(repr=False)

    def of(self, data: HostRows, index: int) -> HostRows:
        return data.with_targets(self._changed(data.targets).astype(data.targets.dtype))

    def facts(self, facts: Facts) -> Facts:
        """Return the facts of the targets in these units."""
        known, weight = facts.targets, facts.weight_sum
        mean = float(self._changed(self.of_targets.mean)[0])
        deviation = float(np.ldexp(self.of_targets.deviation, -self.exponent)[0])
        sums = np.array([weight, weight * mean, weight * (deviation**2 + mean**2), known.sums[3]])
        values, sample = self._changed(known.values), self._changed(known.sample)
        return dataclasses.replace(facts, targets=TargetFacts(values, known.totals, sums, sample, known.sample_weights))

    def _changed(self, targets: NDArray[Any]) -> Vector:
        half = self.exponent // 2  # in two steps: 2^-exponent itself may overflow
        with np.errstate(over="ignore", under="ignore"):
            near = np.ldexp(targets.astype(np.float64), -half) - np.ldexp(self.centre, -half)
            return np.asarray(np.ldexp(near, half - self.exponent))


@dataclass(frozen=True)
class AskTargets:
    """Asks for the mean and the deviation of the targets. Sums of squares do not tell them of targets far from zero."""

    asks: frozenset[int] | None = None

    def of(self, part: HeldPart) -> Columns | None:
        data = part.data
        return None if data.weight_sum == 0.0 else Columns.of(data.targets[:, None], data.weights)

    def add(self, first: Columns, second: Columns) -> Columns:
        return first.with_more(second)


def _weighted(data: HostRows, weights: NDArray[Any]) -> HostRows:
    return data.with_weights(weights, float(weights.sum(dtype=np.float64)))
