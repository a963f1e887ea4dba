"""`PartsProblem`: a table that is read in parts, and the parts of its rows that train, choose the epoch and test."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..extras import require
from ..objectives.held import HostRows
from ..objectives.parts import Parts, parts_of
from ..objectives.prepared import HeldOut, prepared
from ..objectives.questions import HeldPart
from ..streams.stream import Stream
from .assembly import Array
from .columns import Column
from .encoding import TableEncoder
from .kinds import has_name_of_identifier
from .numbered import Numbering
from .problem import FitOptions, Part, fractions_of, further_part
from .streaming import Streaming, column_of, opened
from .tables import OptionError, ReadOptions, Table, TableError
from .targets import COUNTS, Target

__all__ = ["PartsProblem", "pose_parts"]

_SETS = ("training", "validation", "test")
_HASHED = 1 << 24  # bytes to read at once


@dataclass
class PartsProblem:
    """A table that is read in parts. It has the attributes of `Problem` that reports use.

    Attributes
    ----------
    stream : Stream
    parts : dict of str to Parts
        The rows for "training", and those for "validation" and "test", if there are some.
    chains : dict of str to list of HeldOut
        What makes these rows of a part of the stream.
    notes, found : list of str
        What is to be said of the table before the fit and after it.
    sizes : dict of str to int
        The rows of each set. A pass after the fit counts them.
    numbers : array of int or None
        The columns of a svmlight file that are features.
    """

    options: FitOptions
    target: Target
    encoder: TableEncoder
    streaming: Streaming
    stream: Stream
    parts: dict[str, Parts]
    chains: dict[str, list[HeldOut]]
    fractions: dict[str, float]
    notes: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    numbers: Array | None = None
    validation: Part | None = None
    validation_name: str = ""

    @property
    def rows_read(self) -> int:
        """The rows of the table."""
        return self.stream.n_samples

    @property
    def sparse(self) -> bool:
        """Whether the table is a svmlight file."""
        return self.stream.is_sparse

    @property
    def labels(self) -> Array | None:
        """The classes as the estimator has them: text, or numbers."""
        if self.target.classes is None:
            return None
        return self.parts["training"].known.targets.values if self.stream.classes is None else self.stream.classes

    def places(self, targets: Array) -> Array:
        """Return the places of the classes that targets of a part are, or the targets of a regression."""
        if self.target.classes is None:
            return targets
        if self.stream.classes is not None:
            return targets.astype(np.intp)
        return np.searchsorted(self.parts["training"].known.targets.values, targets)

    def closing_lines(self) -> list[str]:
        """Return what only the passes over the rows could tell."""
        counts = {"used": "training", "choose the epoch": "validation", "test the model": "test"}
        counted = [f"{self.sizes[name]:,} {what}" for what, name in counts.items() if self.sizes.get(name)]
        left = [f"{count:,} left out ({reason})" for reason, count in self.dropped.items()]
        return [*([f"rows: {', '.join([*counted, *left])}"] if counted else []), *self.found]

    def rows(self) -> Iterator[dict[str, HostRows]]:
        """Read the stream once, and yield the sets of rows of each part."""
        for part in self.stream.parts():
            data = HeldPart(*part).data
            yield {name: _chained(data, chain, part.index) for name, chain in self.chains.items()}

    def data(self) -> dict[str, Any]:
        """Return what a model file says of the table. The files are read once more, for the digest."""
        digest = hashlib.sha256()
        for path in self.streaming.outline.paths:
            with path.open("rb") as file:
                while block := file.read(_HASHED):
                    digest.update(block)
        return {"name": self.streaming.outline.name, "sha256": digest.hexdigest(), "rows": self.rows_read}


def _chained(data: HostRows, chain: list[HeldOut], index: int) -> HostRows:
    for each in chain:
        data = each.of(data, index)
    return data


def check_options(options: FitOptions, reading: ReadOptions) -> None:
    """Raise OptionError naming an option that needs all rows in memory."""
    given = {
        "--categorical": options.categorical[:1],
        f"--missing {options.missing}": options.missing != "error",
        "--sep": reading.separator,
        "--decimal": reading.decimal != ".",
        "--encoding": reading.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"),
        "--na": reading.na,
    }
    for option, is_given in given.items():
        if is_given:
            raise OptionError(f"{option} needs all rows in memory: leave it out, or raise --memory, or add --no-stream")


def pose_parts(
    found: Streaming,
    options: FitOptions,
    reading: ReadOptions,
    validation: Table | None = None,
    progress: Callable[[int], Any] | None = None,
) -> PartsProblem:
    """Open a table, and make a problem of it.

    Raises
    ------
    TableError, OptionError
        The table cannot be used. The message names the column, or an option that needs all rows in memory.
    """
    check_options(options, reading)
    for name in options.numeric:
        column_of(found.outline, name)
    stream = opened(found, options.target, options.weight, options.drop, options.dtype, progress)
    parts = dataclasses.replace(parts_of(stream), feature_names=None)
    target = _target(found, parts, options)
    test, chosen = fractions_of(stream.n_samples, options, validation is not None)
    fractions = {"test": test, "validation": chosen}
    chains = _chains(fractions, options.random_state)
    sets = {name: _prepared(parts, chain) for name, chain in chains.items()}
    if min(each.known.weight_sum for each in sets.values()) <= 0.0:
        raise TableError("a set of rows would be empty, or have no weight; choose other fractions")
    encoder, numbers = _encoder(found, stream, options, parts)
    problem = PartsProblem(options, target, encoder, found, stream, sets, chains, fractions, numbers=numbers)
    if validation is not None:
        if stream.is_sparse:
            raise OptionError("--validation: svmlight files in parts take --validation-fraction")
        problem.validation, problem.validation_name = (
            further_part(validation, problem, options.weight, []),
            validation.name,
        )
    problem.notes += [
        f"column '{name}' has the name of an identifier; --drop '{name}' leaves it out"
        for name in encoder.column_names
        if has_name_of_identifier(name) and found.outline.kind != "npy"
    ]
    return problem


def _prepared(parts: Parts, chain: list[HeldOut]) -> Parts:
    for each in chain:
        parts = prepared(parts, each)
    return parts


def _target(found: Streaming, parts: Parts, options: FitOptions) -> Target:
    """Return the target, from its different values."""
    pandas, known = require("pandas", "cli"), parts.known.targets
    name = "y" if found.outline.kind == "svmlight" else column_of(found.outline, str(options.target))
    values = known.values
    if parts.classes is not None:
        column = pandas.Series(np.asarray(parts.classes, object), name=name)
    else:
        column = pandas.Series(values.astype(bool) if name in found.outline.flags else values, name=name)
        if options.loss == COUNTS and values.min() < 0:
            raise TableError(f"column '{name}': a target of the loss {COUNTS} is at least 0, got {values.min():g}")
    target = Target.of(column, options.loss, parts.known.n_samples)
    if target.classes is not None and parts.classes is None and _are_rounded(values, options.dtype):
        ways = "take --dtype float64, or write them as text"
        raise TableError(f"column '{name}' has classes that {options.dtype} cannot tell exactly; {ways}")
    if target.classes is None and parts.classes is not None:
        raise TableError(f"column '{name}' holds text; the loss {target.loss} needs numbers")
    return target


def _are_rounded(values: Array, dtype: str) -> bool:
    """Return whether labels may have been rounded when they became numbers of a dtype."""
    whole = 2.0 ** np.finfo(dtype).nmant
    return bool((np.abs(values) >= whole).any() or (dtype == "float32" and (values != np.floor(values)).any()))


def _chains(fractions: dict[str, float], seed: int) -> dict[str, list[HeldOut]]:
    """Return what holds out random rows of each part: first those that test, then of the rest."""
    test, validation = fractions["test"], fractions["validation"]
    rest = [HeldOut(test, seed, held=False)] if test else []
    share, other = validation / (1 - test), seed + 2**32  # another seed than for the test rows
    chains = {"training": [*rest, *([HeldOut(share, other, held=False)] if validation else [])]}
    if validation:
        chains["validation"] = [*rest, HeldOut(share, other, held=True)]
    if test:
        chains["test"] = [HeldOut(test, seed, held=True)]
    return chains


def _encoder(found: Streaming, stream: Stream, options: FitOptions, parts: Parts) -> tuple[TableEncoder, Array | None]:
    """Return the encoder of columns that are numbers, or truth values as categories."""
    outline = found.outline
    if outline.kind == "svmlight":
        numbers = np.flatnonzero((parts.columns.mean != 0) | (parts.columns.deviation != 0))
        first = 0 if len(numbers) and numbers[0] == 0 else 1
        if not len(numbers):
            raise TableError(f"{outline.name} has no column with numbers other than 0")
        numbering = Numbering(first, stream.n_features - 1, numbers.astype(np.int64))
        return TableEncoder.of_columns([], numbering, leaves_out=False), numbers
    roles = {options.target, options.weight, *options.drop}
    gone = {column_of(outline, name) for name in roles if name is not None}
    names = [name for name in outline.names if name not in gone] if outline.kind == "npy" else stream.feature_names
    columns = [
        Column(name, "category", ("False", "True")) if name in outline.flags else Column(name, "number")
        for name in names or ()
    ]
    numeric = tuple(column.name for column in columns if column.kind == "number" and column.name in options.numeric)
    return TableEncoder.of_columns(columns, numeric=numeric, leaves_out=outline.kind != "npy"), None
