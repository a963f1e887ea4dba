"""A binary copy of the parts of a source, which later passes read in place of the source."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView
from ..parts.facts import Facts as PartsFacts
from ..warnings import levels_outside
from .buffers import Buffers
from .cache_file import SUFFIX, CacheFile, CacheWriter, DamagedError, remove_abandoned
from .files import DataError
from .labels import Labels
from .part import Part, index_dtype
from .section import FileRows, Section, announce
from .source import Budget, Source, Stopped, Survey, survey

__all__ = ["CachedSource"]


class CachedSource:
    """A source whose parts are read from a cache. The constructor writes it unless a valid one is there.

    `settings` are what else decides the parts, fit for JSON.
    """

    any_order, if_changed, reserve, is_copy = True, "", 0, True

    def __init__(
        self,
        source: Source,
        folder: Path,
        settings: dict[str, Any],
        budget: Budget,
        progress: Callable[[int], Any] | None = None,
    ) -> None:
        self._source, self._budget, self._progress = source, budget, progress
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder)
        self._digest = _digest(source, settings, with_states=True)
        name = _digest(source, settings, with_states=False)[:16]
        self.path = folder / f"{Path(source.name).stem if source.states else 'blocks'}-{name}{SUFFIX}"
        found = self._valid() if source.states else None
        self._file = self._written() if found is None else found
        self.facts, self.labels = source.facts, source.labels
        self.n_rows: int | None = sum(self.found.sizes)
        self.name, self.states = source.name, source.states

    def _valid(self) -> CacheFile | None:
        """Return the cache of this source, if it is there and not damaged as far as its table tells."""
        try:
            file = CacheFile(self.path)
        except FileNotFoundError:
            return None
        except DamagedError as error:
            self._warn(error)
            return None
        if file.table.get("digest") != self._digest:
            return None
        self.found = Survey(**file.table["survey"], facts=PartsFacts.of_record(file.table.get("facts")))
        self._source.facts.n_features = file.table["n_features"]
        if file.table["classes"] is not None:
            self._source.labels = Labels(file.table["classes"])
        return file

    def _warn(self, error: DamagedError) -> None:
        text = f"{self.path} is damaged ({error}); it is written again from {self._source.name}"
        warnings.warn(text, RuntimeWarning, stacklevel=levels_outside())

    def _written(self) -> CacheFile:
        """Write the cache in a pass over the source, and open it."""
        source = self._source
        writer = CacheWriter(self.path)
        try:
            self.found = survey(source, self._budget, writer.add, self._progress)
            labels = source.labels
            if labels is not None and not labels.is_settled:
                moved = labels.settle()
                self.found.settle(moved)
                writer.recode(3 if source.facts.is_sparse else 1, source.facts.dtype, moved)
            # Nothing tells another process whether the blocks of an iterable are the same.
            return writer.finish(self._table(), keep=bool(source.states))
        finally:
            writer.abandon()

    def _table(self) -> dict[str, Any]:
        """Return what the file has beside the parts."""
        found, labels, known = self.found, self._source.labels, self.found.facts
        survey = {each.name: getattr(found, each.name) for each in fields(found) if each.name != "facts"}
        return {
            "digest": self._digest,
            "n_features": self._source.facts.n_features,
            "classes": None if labels is None else labels.classes.tolist(),
            "survey": survey,
            "facts": None if known is None else known.record(),
        }

    def reader(self, found: Survey, stop: Event) -> CacheReader:
        """Return a reader of parts."""
        return CacheReader(self, found, stop)

    @property
    def file(self) -> CacheFile:
        """The cache."""
        return self._file

    def mend(self, damaged: CacheFile, error: DamagedError) -> None:
        """Write a damaged cache again."""
        with self._lock:
            if self._file is not damaged:  # another thread did
                return
            self._warn(error)
            before = self.found
            self._file = self._written()
            if self.found != before:
                raise DataError(f"{self.name} gave other rows than when the stream was opened; open it again")


class CacheReader:
    """Reads parts from a cache. A damaged one is written again."""

    def __init__(self, source: CachedSource, found: Survey, stop: Event) -> None:
        self._source, self._found, self._stop = source, found, stop
        self._buffers = Buffers.of(source)

    def part(self, index: int) -> Part:
        """Return a part in memory of its own."""
        arrays, part = self._empty(index)
        file = self._source.file
        try:
            file.read(index, arrays, self._go_on)
        except DamagedError as error:
            self._source.mend(file, error)
            self._source.file.read(index, arrays, self._go_on)
        return part

    def section(self, index: int) -> Part | Section:
        """Return a part whose X is still in the file, once its checksums were compared."""
        facts, file = self._source.facts, self._source.file
        stamp = None if facts.is_sparse else file.known(index)
        if stamp is None:
            return self.part(index)
        n = self._found.sizes[index]
        y = np.empty(n, facts.dtype)
        weight = np.empty(n, facts.dtype) if facts.has_weights else None
        try:
            place = file.read_rest(index, [y] if weight is None else [y, weight])
        except DamagedError:
            return self.part(index)
        check = functools.partial(file.check, stamp)
        rows = FileRows(file, place, str(file.path), (n, facts.n_features), facts.storage, check)
        announce(rows)
        return Section(index, rows, y, weight)

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _empty(self, index: int) -> tuple[list[NDArray[Any]], Part]:
        facts, n, n_entries = self._source.facts, self._found.sizes[index], self._found.entries[index]
        rows, entries, empty = max(self._found.sizes), max(self._found.entries), self._buffers.empty
        y = empty((n,), facts.dtype, rows)
        weight = empty((n,), facts.dtype, rows) if facts.has_weights else None
        rest = [y] if weight is None else [y, weight]
        if not facts.is_sparse:
            X = empty((n, facts.n_features), facts.storage, entries)
            return [X, *rest], Part(index, X, y, weight)
        data = empty((n_entries,), facts.storage, entries)
        indices = empty((n_entries,), index_dtype(facts.n_features), entries)
        indptr = empty((n + 1,), np.int64, rows + 1)
        view = CSRView(data, indices, indptr, (n, facts.n_features))
        return [data, indices, indptr, *rest], Part(index, view, y, weight)

    def close(self) -> None:
        """Do nothing: the stream keeps the file open."""


def _digest(source: Source, settings: dict[str, Any], with_states: bool) -> str:
    """Return a digest of the settings and of the paths of the files; with their sizes and times, if asked."""
    files = [
        [str(state.path.resolve()), *((state.size, state.modified) if with_states else ())] for state in source.states
    ]
    facts = source.facts
    kept = [settings, files, facts.storage.name, facts.dtype.name, facts.has_weights, sys.byteorder]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()
