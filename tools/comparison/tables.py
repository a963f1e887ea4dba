"""Tables of digests: how a result becomes one, how tables are written and read, and what differs between two."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Case = tuple[str, Callable[[], Any]]  # a name, and what computes the result
_TIMED = ("seconds",)  # columns of a history that differ from run to run


def fields(result: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a result with their names: arrays, numbers and texts."""
    if isinstance(result, Mapping):
        for name, part in result.items():
            yield from ((f"{name}.{inner}" if inner else str(name), value) for inner, value in fields(part))
    elif isinstance(result, list | tuple):
        yield from fields(dict(enumerate(result)))
    elif hasattr(result, "stop_reason") and hasattr(result, "history"):
        yield from fields(run_fields(result))
    elif hasattr(result, "__cuda_array_interface__"):
        yield "", result.numpy()
    else:
        yield "", result


def run_fields(run: Any) -> dict[str, Any]:
    """Return what a run found, without its times and without prose."""
    history = {name: column for name, column in run.history.items() if name not in _TIMED}
    ends = f"{run.stop_reason} {run.converged} {run.n_epochs} {run.n_steps} {run.best_epoch} {run.diagnosis.kind}"
    found = {"w": run.w, "value": run.value, "history": np.array(list(history.values()), np.float64), "end": ends}
    return found | ({} if run.path is None else {"path": run.path})


def digest(value: Any) -> str:
    """Return a digest of a part's bytes, its dtype and its shape in one line."""
    if value is None or isinstance(value, str):
        return f"{value!r}"
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"a result must be an array, a number or a text, got {value!r}")
    dtype = "bfloat16" if array.dtype.names else array.dtype.name
    return f"{hashlib.blake2b(array.tobytes(), digest_size=12).hexdigest()} {dtype} {array.shape}"


class Table(NamedTuple):
    """The digests of a build by the names of the cases, with the arrays where these were asked for."""

    about: dict[str, Any]
    cases: dict[str, str]
    arrays: dict[str, Array]

    @classmethod
    def of(cls, about: dict[str, Any], cases: Iterable[Case], keep: bool) -> Table:
        """Compute the cases; an exception is a result too, by the name of its class."""
        table = cls(about, {}, {})
        for name, call in cases:
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    parts = list(fields(call()))
            except Exception as error:
                table.add(name, f"raises {type(error).__name__}", keep)
                continue
            for part, value in parts:
                table.add(f"{name}:{part}" if part else name, value, keep)
        return table

    def add(self, name: str, value: Any, keep: bool) -> None:
        """Add one result."""
        if name in self.cases:
            raise ValueError(f"two cases are called {name}")
        self.cases[name] = digest(value)
        if keep and not (value is None or isinstance(value, str)):
            self.arrays[name] = np.asarray(value)

    def prefixed(self, prefix: str) -> Table:
        """Return the table with the prefix before every name."""
        cases = {f"{prefix}/{name}": each for name, each in self.cases.items()}
        return Table(self.about, cases, {f"{prefix}/{name}": each for name, each in self.arrays.items()})

    def write(self, path: Path) -> None:
        """Write the digests as JSON, and the arrays beside it as .npz where there are any."""
        path.write_text(json.dumps({"about": self.about, "cases": self.cases}, indent=0) + "\n")
        if self.arrays:
            np.savez(path.with_suffix(".npz"), **self.arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> Table:
        """Read what `write` wrote."""
        found = json.loads(path.read_text())
        beside = path.with_suffix(".npz")
        arrays: dict[str, Array] = {}
        if beside.exists():
            with np.load(beside) as archive:
                arrays = {name: archive[name] for name in found["cases"] if name in archive.files}
        return cls(found["about"], found["cases"], arrays)


class Difference(NamedTuple):
    """A case that two tables do not have alike; the distances are nan without arrays of one shape and dtype."""

    name: str
    kind: str  # "differs", "added", "gone"
    before: str = ""
    after: str = ""
    ulp: float = np.nan  # the largest number of floats between two elements
    ulp_of_largest: float = np.nan  # the largest difference in units of the last place of the largest element

    def __str__(self) -> str:
        distance = "" if np.isnan(self.ulp) else f", {self.ulp:.0f} ulp ({self.ulp_of_largest:.2g} of the largest)"
        return f"{self.kind:8} {self.name}  {' -> '.join(text for text in (self.before, self.after) if text)}{distance}"


def differences(before: Table, after: Table) -> list[Difference]:
    """Return what differs between two tables, case by case."""
    found = []
    for name, digest_before in before.cases.items():
        if name not in after.cases:
            found.append(Difference(name, "gone", before=digest_before))
        elif after.cases[name] != digest_before:
            ulps = distances(before.arrays.get(name), after.arrays.get(name))
            found.append(Difference(name, "differs", digest_before, after.cases[name], *ulps))
    new = (name for name in after.cases if name not in before.cases)
    return found + [Difference(name, "added", after=after.cases[name]) for name in new]


def distances(a: Array | None, b: Array | None) -> tuple[float, float]:
    """Return the largest difference of two arrays in floats between them, and in ulp of the largest element.

    Both are inf where one has a nan or an infinity that the other has not.
    """
    if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype or a.dtype.kind != "f":
        return np.nan, np.nan
    if not np.array_equal(np.where(np.isfinite(a), 0, a), np.where(np.isfinite(b), 0, b), equal_nan=True):
        return np.inf, np.inf
    finite = np.isfinite(a)
    a, b = a[finite], b[finite]
    if a.size == 0:
        return 0.0, 0.0
    largest = np.maximum(np.abs(a), np.abs(b)).max()
    apart = np.abs(a.astype(np.longdouble) - b).max() / np.spacing(largest)
    places = np.abs(_place(a).astype(np.longdouble) - _place(b).astype(np.longdouble)).max()
    return float(places), float(apart)


def _place(array: Array) -> NDArray[np.int64]:
    """Return the places of the floats in their order, 0 and -0 alike."""
    kind = np.dtype(f"i{array.dtype.itemsize}")
    bits = np.ascontiguousarray(array).view(kind).astype(np.int64)
    return np.where(bits < 0, np.int64(np.iinfo(kind).min) - bits, bits)
