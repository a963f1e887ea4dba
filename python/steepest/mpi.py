"""Data on the ranks of an MPI communicator, of which all run the same program. Needs the extra ``mpi``."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from .arrays.checks import check_count, describe
from .arrays.device import arithmetic_dtype, dtype_name
from .arrays.sparse import CSRView
from .extras import require
from .objectives.given_part import Checked, block_of, checked_part
from .objectives.parts import Parts, parts_of
from .objectives.questions import AskFacts, HeldPart
from .ranks.channel import Channel, RankError
from .ranks.engine import MPIEngine
from .ranks.team import Ranks
from .streams.stream import Stream

__all__ = ["MPIEngine", "RankError", "fit", "parts", "rows"]

PART_ROWS = 2**18
Reader = Callable[[list[int], bool], Iterable[HeldPart]]
Model = TypeVar("Model")
_channels: dict[str, Any] = {}  # the key by which communicators keep their channel, once MPI is there


def parts(X: Any, y: Any = None, sample_weight: Any = None, *, comm: Any = None, part_rows: int = PART_ROWS) -> Parts:
    """Return the rows that all ranks hold, as an objective takes them in the place of X.

    All ranks must call it, each with its own rows. The rows of rank 0 come first, then those of rank 1, and so on. They
    are not copied, unless X is in F order, and stay on their rank.

    Results have the same bits for any number of ranks if the parts have. Either give the parts, in a list: the same
    ones in the same order, shared out among the ranks. Or give arrays: they are cut at those rows whose number among
    the rows of all ranks is a multiple of ``part_rows``, and where a rank ends. So let every rank but the last hold a
    multiple of ``part_rows``, as `rows` shares them out.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, n_features), or list of tuples, or Stream
        The rows of this rank, in any form that `LeastSquares` takes in host memory; there may be none. Or its parts:
        tuples (X, y) or (X, y, sample_weight) of at least one row. Or a stream of the files of this rank, which are
        read for every pass, and for every mini-batch.
    y : array of shape (n,), optional
        The targets, unless X is a list or a stream.
    sample_weight : array of shape (n,), optional
        The weights of the rows, at least 0.
    comm : mpi4py.MPI.Comm, optional
        The communicator, by default the world.
    part_rows : int
        Rows of a part.

    Returns
    -------
    Parts

    Raises
    ------
    TypeError, ValueError
        The rows of this rank have the wrong type, dtype, shape or memory layout, or those of two ranks are not alike.
    RankError
        Another rank raised an error.

    Examples
    --------
    ``mpirun -n 4 python program.py`` starts such a program on four ranks. Without mpirun there is one rank:

    >>> import numpy as np
    >>> import steepest as st
    >>> from steepest import mpi
    >>> X = np.arange(8.0)[:, None]
    >>> mine = mpi.rows(8, part_rows=2)
    >>> data = mpi.parts(X[mine], 2 * X[mine, 0] + 1, part_rows=2)
    >>> st.minimize(st.LeastSquares(data)).w.round(6)
    array([2., 1.])
    """
    channel = _channel_of(comm)
    with Ranks(channel).together("parts", {"part_rows": part_rows}):
        check_count("part_rows", part_rows, 1)
        own = _StreamRows(X, y, sample_weight) if isinstance(X, Stream) else _ArrayRows(X, y, sample_weight)
        _check_alike(channel.gather("the kinds of rows", own.kinds))
        before = channel.gather("the numbers of rows", own.n_samples)[: channel.rank]
        counts = channel.gather("the numbers of parts", own.cut(sum(before), part_rows))
        if not sum(counts):
            raise ValueError("X must have at least one row on some rank, got none on all ranks")
        first = sum(counts[: channel.rank])
        places = range(first, first + counts[channel.rank])
        engine = MPIEngine(channel, places, own.reader(first), sum(counts))
        dtype = _common(channel.gather("the dtypes of targets", own.target_dtype))
        return Parts(engine, engine.reduce(AskFacts()), target_dtype=dtype)


def rows(n_samples: int, *, comm: Any = None, part_rows: int = PART_ROWS) -> slice:
    """Return the rows that this rank is to hold, of rows that are to be shared out evenly.

    Every rank gets whole parts, so a fit has the same bits for any number of ranks. A rank may get no rows.

    Parameters
    ----------
    n_samples : int
        Number of rows of all ranks.
    comm : mpi4py.MPI.Comm, optional
        The communicator, by default the world.
    part_rows : int
        Rows of a part, as `parts` gets it.

    Returns
    -------
    slice

    Examples
    --------
    On rank 1 of 2 this is ``slice(524288, 1000000, None)``; on a single rank:

    >>> from steepest import mpi
    >>> mpi.rows(1_000_000)
    slice(0, 1000000, None)
    """
    comm = _mpi().COMM_WORLD if comm is None else comm
    n, size = check_count("n_samples", n_samples, 0), check_count("part_rows", part_rows, 1)
    n_parts = -(-n // size)
    first, stop = (min(n_parts * rank // comm.size * size, n) for rank in (comm.rank, comm.rank + 1))
    return slice(first, stop)


def fit(
    estimator: Model, X: Any, y: Any = None, sample_weight: Any = None, *, comm: Any = None, part_rows: int = PART_ROWS
) -> Model:
    """Fit an estimator to the rows that all ranks hold. All ranks must call it, and get the same fit.

    Without a ``random_state``, rank 0 draws the seed. Warnings come from rank 0 alone.

    Parameters
    ----------
    estimator : LinearRegressor or LogisticClassifier
        It has the same settings on all ranks.
    X, y, sample_weight, comm, part_rows : optional
        As `parts` takes them. Targets and weights of any other dtype become that of X. The labels of a classifier are
        numbers.

    Returns
    -------
    estimator
        The given one, fitted.

    Raises
    ------
    TypeError, ValueError
        The rows of this rank or the settings are refused.
    RankError
        Another rank raised an error, or its estimator has other settings.

    Examples
    --------
    >>> from steepest import LogisticClassifier, mpi  # doctest: +SKIP
    >>> model = mpi.fit(LogisticClassifier(), X, y)  # doctest: +SKIP
    """
    team = Ranks(_channel_of(comm))
    found: Any = estimator
    with team.together("fit", {"estimator": estimator}):
        given = None
        if y is not None:
            given = np.asarray(y).dtype.str if np.size(y) else None
            y, sample_weight = _numbers("y", y, X), _numbers("sample_weight", sample_weight, X)
        held = parts(X, y, sample_weight, comm=comm, part_rows=part_rows)
        dtype = _common(_channel_of(comm).gather("the dtypes of y", given))
        held = held if dtype is None else dataclasses.replace(held, target_dtype=dtype)
        before = found.random_state
        if before is None:
            found.random_state, _ = team.agree(int(np.random.default_rng().integers(2**31 - 1)))
        try:
            found.fit(held)
        finally:
            found.random_state = before
    return estimator


def _common(dtypes: list[str | None]) -> np.dtype[Any] | None:
    """Return the dtype that has the targets of all ranks, whose dtypes are given by name; None for ranks without."""
    found = {np.dtype(each) for each in dtypes if each is not None}
    return np.result_type(*found) if found else None


def _numbers(name: str, given: Any, X: Any) -> Any:
    """Return targets or weights in the dtype that they need beside X, unless that changes them."""
    array = None if given is None else np.asarray(given)
    if array is None or not hasattr(X, "dtype"):
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers, got {describe(array)}; number labels alike on all ranks")
    found = np.ascontiguousarray(array, arithmetic_dtype(dtype_name(X.dtype)))
    if array.dtype.kind != "f" and not np.array_equal(found, array):
        raise ValueError(f"{name} must hold numbers that {found.dtype} has, got larger integers")
    return found


def _mpi() -> Any:
    return require("mpi4py.MPI", "mpi")


def _channel_of(comm: Any) -> Channel:
    """Return the channel of a communicator, which is made when it is first asked for."""
    MPI = _mpi()
    comm = MPI.COMM_WORLD if comm is None else comm
    if not isinstance(comm, MPI.Intracomm):
        raise TypeError(f"comm must be an mpi4py.MPI.Intracomm, got {describe(comm)}")
    if not _channels:
        _channels["key"] = MPI.Comm.Create_keyval()
    channel: Channel | None = comm.Get_attr(_channels["key"])
    if channel is None:
        channel = Channel(comm)
        comm.Set_attr(_channels["key"], channel)
    return channel


class _StreamRows:
    """The rows of this rank in a stream, whose parts they keep."""

    def __init__(self, X: Stream, y: Any, weight: Any) -> None:
        _check_none(y, weight)
        if X.classes is not None:
            raise ValueError("y must hold numbers in the stream of a rank, got text; number labels alike on all ranks")
        parts_of(X).check_target()
        self.target_dtype = None if X.target_dtype is None else X.target_dtype.str
        self._stream, self.n_samples = X, X.n_samples
        self.kinds = [(X.n_features, X.storage, "sparse" if X.is_sparse else "dense", X.has_weights)]

    def cut(self, before: int, part_rows: int) -> int:
        return len(self._stream.sizes)

    def reader(self, first: int) -> Reader:
        def read(asked: list[int], in_place: bool) -> Iterable[HeldPart]:
            for part in self._stream.sections([index - first for index in asked], in_place):
                yield HeldPart(first + part.index, *part[1:])

        return read


class _ArrayRows:
    """The rows of this rank in arrays, or the arrays of its parts."""

    def __init__(self, X: Any, y: Any, weight: Any) -> None:
        self._in_parts = isinstance(X, list | tuple) and all(
            isinstance(each, tuple) and len(each) in (2, 3) for each in X
        )
        if self._in_parts:
            _check_none(y, weight)
            self._given = [checked_part(*each) for each in X]
        elif isinstance(X, Iterable) and not hasattr(X, "shape"):
            expected = "an array, a CSR matrix, a stream or a list of tuples (X, y) or (X, y, sample_weight)"
            raise TypeError(f"X must be {expected}, got {describe(X)}")
        else:
            is_empty = len(getattr(X, "shape", ())) == 2 and X.shape[0] == 0
            self._given = [] if is_empty else [checked_part(X, y, weight)]
        self.kinds = [_kind(*each) for each in self._given]
        self.n_samples = sum(len(y) for _, y, _ in self._given)
        self.target_dtype: str | None = None  # that of X
        self._blocks: list[tuple[Checked, int, int]] = []

    def cut(self, before: int, part_rows: int) -> int:
        """Cut the rows, of which the first one is row ``before`` of all ranks. Return the number of parts."""
        for each in self._given:
            n = len(each[1])
            inner = range((before // part_rows + 1) * part_rows - before, n, part_rows)
            ends = [0, n] if self._in_parts else [0, *inner, n]
            self._blocks += [(each, *pair) for pair in itertools.pairwise(ends)]
        return len(self._blocks)

    def reader(self, first: int) -> Reader:
        held = [block_of(first + i, *block) for i, block in enumerate(self._blocks)]
        return lambda asked, in_place: (held[index - first] for index in asked)


def _check_none(y: Any, weight: Any) -> None:
    if y is not None or weight is not None:
        raise TypeError("y and sample_weight must be None for X in parts, which have their own")


def _kind(X: Any, y: Any, weight: Any) -> tuple[int, str, str, bool]:
    """Return what the rows of all ranks must have alike, as `_ALIKE` lists it."""
    return int(X.shape[1]), dtype_name(X.dtype), "sparse" if isinstance(X, CSRView) else "dense", weight is not None


_ALIKE: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("have the same number of columns", str),
    ("have the same dtype of X", str),
    ("all be sparse or none", str),
    ("all have weights or none", lambda found: "weights" if found else "none"),
)


def _check_alike(kinds: list[list[tuple[Any, ...]]]) -> None:
    """Raise a ValueError that names the ranks, if their rows are not alike."""
    all_ranks = [(rank, kind) for rank, each in enumerate(kinds) for kind in each]
    for place, (what, said) in enumerate(_ALIKE):
        for rank, kind in all_ranks:
            first, other = all_ranks[0][1][place], kind[place]
            if first != other:
                where = f"{said(first)} on rank {all_ranks[0][0]} and {said(other)} on rank {rank}"
                raise ValueError(f"the rows of all ranks must {what}, got {where}")
