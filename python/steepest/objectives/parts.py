"""`PartsData`: parts that memory, files or other processes hold. Passes over them are added along one tree."""

from __future__ import annotations

import dataclasses
import functools
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import check_weight_sum, describe
from ..arrays.device import arithmetic_dtype
from ..arrays.digest import digest_of
from ..parts.engine import Engine
from ..parts.facts import Facts, TargetFacts
from ..parts.local import LocalEngine
from ..streams.stream import Stream
from .columns import Columns
from .held import HostRows, native_objective
from .protocol import Capability
from .questions import AskColumns, AskDigests, AskFacts, AskRows, AskSums, HeldPart, joined_part
from .source import Terms

__all__ = ["Parts", "PartsData", "Reader", "parts_of"]

Vector = NDArray[np.float64]


class Reader(NamedTuple):
    """Reads parts one after the other.

    Attributes
    ----------
    capacity : int
        Parts that a buffer may hold.
    read : callable
        Yields parts, as `HeldPart`, in the order of the indices that it is called with.
    """

    capacity: int
    read: Callable[[Iterable[int]], Iterable[HeldPart]]


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of an engine, with their targets and weights, as an objective takes them in the place of X.

    Attributes
    ----------
    engine : Engine
        It asks the parts.
    facts : Facts or None
        The facts of the parts, if they are known.
    reader : Reader or None
        Reads parts that are not in memory, for mini-batches from a buffer. None: the engine can ask for any rows.
    classes : array or None
        The labels, where the targets are codes of labels: target i stands for ``classes[i]``.
    feature_names : tuple of str or None
        The names of the columns of X, if they have names.
    columns_of : Parts or None
        Other parts with the same X, whose columns are asked for in the place of these.
    target_dtype : numpy.dtype or None
        The dtype in which a user gave targets that are numbers, if it is known.
    has_target : bool
        Whether there are targets. Without them, parts serve predictions.
    """

    engine: Engine
    facts: Facts | None = None
    reader: Reader | None = None
    classes: NDArray[Any] | None = None
    feature_names: tuple[str, ...] | None = None
    columns_of: Parts | None = None
    target_dtype: np.dtype[Any] | None = None
    has_target: bool = True

    def check_target(self) -> None:
        """Check that there are targets."""
        if not self.has_target:
            raise ValueError(
                "y must be known, got a stream without a target; name it: open_stream(..., target=...), or give blocks "
                "(X, y)"
            )

    @classmethod
    def of(cls, arrays: Iterable[tuple[Any, ...]], capacity: int | None = None) -> Parts:
        """Return parts in this process's memory: tuples of X, y and perhaps weights, as `HeldPart` takes them.

        With a capacity, mini-batches come from so many parts at a time.
        """
        held = [HeldPart(index, *each) for index, each in enumerate(arrays)]

        def read(order: Iterable[int]) -> Iterable[HeldPart]:
            return (held[index] for index in order)

        return cls(LocalEngine(len(held), read), reader=None if capacity is None else Reader(capacity, read))

    @cached_property
    def known(self) -> Facts:
        """The facts of the parts. They are asked for once, unless they are given."""
        found: Facts = self.engine.reduce(AskFacts()) if self.facts is None else self.facts
        return found

    @cached_property
    def columns(self) -> Columns:
        """The means and deviations of the columns. They are asked for once, as that costs a pass."""
        if self.columns_of is not None:
            return self.columns_of.columns
        found: Columns = self.engine.reduce(AskColumns())
        return found


def parts_of(stream: Stream) -> Parts:
    """Return the parts of a stream, which reads them for each pass."""

    def read(order: Iterable[int], in_place: bool = False) -> Iterator[HeldPart]:
        for part in stream.sections(list(order), in_place):
            yield HeldPart(*part)

    return Parts(
        LocalEngine(len(stream.sizes), read, functools.partial(read, in_place=True)),
        stream.parts_facts,
        Reader(stream.buffer_parts, read),
        stream.classes,
        None if stream.feature_names is None else tuple(stream.feature_names),
        target_dtype=stream.target_dtype,
        has_target=stream.has_target,
    )


@dataclass(frozen=True, eq=False)
class PartsData:
    """Parts that an engine asks. `Data` describes the members."""

    X: Parts
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
        X.check_target()
        check_weight_sum(0.0, X.known.weight_sum)
        return cls(X, X.known)

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
        if capability == Capability.BUFFERS:
            return self.X.reader is not None
        return capability in (Capability.STEPS, Capability.SAMPLE, Capability.DIGESTS)

    def digests(self) -> dict[str, str]:
        """Return the digests of all parts, in one pass, and what else the steps depend on."""
        found = self.X.engine.reduce(AskDigests())
        whole = {
            name: digest_of(np.frombuffer("".join(each[name] for each in found).encode(), np.uint8))
            for name in found[0]
        }
        buffer = "none" if self.X.reader is None else str(self.X.reader.capacity)
        return whole | {"parts": str(self.facts.sizes), "buffer": buffer, "shift": repr(self.shift)}

    def check_targets(self, check: Callable[[Any], None]) -> None:
        """Call a check with numbers that stand for all targets."""
        try:
            check(self.facts.targets.values.astype(self.dtype))
        except ValueError as error:
            raise ValueError(re.sub(r" at index \d+", " in some row", str(error))) from None

    def bind(self, terms: Terms) -> Any:
        key = secrets.token_hex(8)

        starts = self.facts.starts

        def add_up(work: str, *arrays: NDArray[Any]) -> Any:
            return self.X.engine.reduce(AskSums(work, key, terms, starts, self.shift), *arrays)

        capabilities = ["hessian", "column_statistics"]
        capabilities += [] if self.facts.is_sparse else ["standardised_blocks"]
        capabilities += ["batches"] if self.X.reader is None else []
        source = _core.parts_source(
            self.dtype.name,
            self.n_samples,
            self.n_features,
            self.n_elements,
            self.weight_sum,
            capabilities,
            add_up,
        )
        return native_objective(source, terms._replace(scaling=None))

    def column_statistics(self) -> tuple[Vector, Vector]:
        found = self.X.columns
        return found.mean, found.deviation

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> HostRows:
        """Return a copy of some rows, in memory."""
        order = np.argsort(index, kind="stable")
        found = self.X.engine.reduce(AskRows.at(np.asarray(index)[order].astype(np.int64), self.facts.starts))
        data = self.prepared(joined_part([HeldPart(0, *each) for each in found]))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return data.taken(place, data.weight_sum if weight_sum is None else weight_sum)

    def bind_some(self, index: NDArray[Any], weight_sum: float, terms: Terms) -> Any:
        return self.taken(index, weight_sum).bind(terms)

    def prepared(self, part: HeldPart, weight_sum: float | None = None) -> HostRows:
        """Return the rows of a part as these data take them. Their weight_sum is their own if no other is given."""
        data = part.data if self.shift == 0.0 else part.data.shifted(self.shift)
        return data if weight_sum is None else dataclasses.replace(data, weight_sum=weight_sum)

    def shifted(self, target: float) -> PartsData:
        """Return the same rows, with a number subtracted from the targets."""
        return dataclasses.replace(self, shift=self.shift + target)
