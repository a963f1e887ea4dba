"""Data on the ranks of an MPI communicator, of which all run the same program. Needs the extra ``mpi``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .arrays.checks import check_count, describe
from .arrays.device import arithmetic_dtype, dtype_name
from .arrays.sparse import CSRView
from .extras import require
from .objectives.given_part import Checked, block_of, checked_part
from .objectives.parts import Parts
from .objectives.questions import AskFacts, HeldPart
from .parts.engine import Question
from .parts.tree import Node, Tree
from .ranks.channel import Channel, RankError
from .ranks.fingerprint import facts_of
from .ranks.team import Ranks

__all__ = ["MPIEngine", "RankError", "fit", "parts", "rows"]

PART_ROWS = 2**18
Model = TypeVar("Model")
_channels: dict[str, Any] = {}  # the key by which communicators keep their channel, once MPI is there


class MPIEngine:
    """An engine over the parts that each rank of a communicator holds.

    The parts of rank 0 come first, then those of rank 1, and so on. `reduce` is a collective: every rank asks its own
    parts, and adds the answers along the tree. The roots of its subtrees go up a binary tree of ranks, whose every
    rank adds what it can. Rank 0 finishes the total, and all ranks get its bytes.

    Parameters
    ----------
    channel : Channel
        The ranks.
    held : list of HeldPart
        The parts of this rank, with their places among all parts.
    n : int
        Number of parts of all ranks.

    Attributes
    ----------
    team : Ranks
        Decides what does not follow from totals.
    """

    def __init__(self, channel: Channel, held: Sequence[HeldPart], n: int) -> None:
        self._channel, self._held, self._n = channel, held, n
        self.team = Ranks(channel)

    def n_parts(self) -> int:
        """Return the number of parts of all ranks."""
        return self._n

    def reduce(self, question: Question, *arrays: NDArray[Any]) -> Any:
        """Ask the parts of all ranks, and return the total of their answers. All ranks must call it alike.

        Raises
        ------
        RankError
            Another rank failed, or asks something else.
        """
        name = f"{type(question).__name__} {getattr(question, 'work', '')}".strip()
        facts = {"question": repr((self._n, facts_of(question))), "parameters": repr(facts_of(arrays))}

        def answer() -> list[Node]:
            tree = Tree(self._n, question.add)
            for part in self._held:
                asked = question.asks is None or part.index in question.asks
                tree.put(part.index, question.of(part, *arrays) if asked else None)
            return tree.nodes

        def joined(*each: list[Node]) -> Tree:
            tree = Tree(self._n, question.add)
            for nodes in each:
                tree.take(nodes)
            return tree

        return self._channel.exchange(
            name,
            facts,
            answer,
            lambda first, second: joined(first, second).nodes,
            lambda nodes: joined(nodes).total(),
        )

    def close(self) -> None:
        """Let go of the parts of this rank. The communicator stays."""
        self._held = ()


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
    X : array or CSR matrix of shape (n, n_features), or list of tuples
        The rows of this rank, in any form that `LeastSquares` takes in host memory; there may be none. Or its parts:
        tuples (X, y) or (X, y, sample_weight) of at least one row.
    y : array of shape (n,), optional
        The targets, unless X is a list.
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
        given, in_list = _given(X, y, sample_weight)
        _check_alike(channel.gather("the kinds of rows", [_kind(each) for each in given]))
        n = sum(len(each[1]) for each in given)
        before = sum(channel.gather("the numbers of rows", n)[: channel.rank])
        cuts = [[0, len(each[1])] if in_list else _cuts(before, n, part_rows) for each in given]
        counts = channel.gather("the numbers of parts", sum(len(each) - 1 for each in cuts))
        if not sum(counts):
            raise ValueError("X must have at least one row on some rank, got none on all ranks")
        index = itertools.count(sum(counts[: channel.rank]))
        held = [
            block_of(next(index), each, *ends)
            for each, at in zip(given, cuts, strict=True)
            for ends in itertools.pairwise(at)
        ]
        engine = MPIEngine(channel, held, sum(counts))
        return Parts(engine, engine.reduce(AskFacts()))


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
        if y is not None:
            y, sample_weight = _numbers("y", y, X), _numbers("sample_weight", sample_weight, X)
        held = parts(X, y, sample_weight, comm=comm, part_rows=part_rows)
        before = found.random_state
        if before is None:
            found.random_state, _ = team.agree(int(np.random.default_rng().integers(2**31 - 1)))
        try:
            found.fit(held)
        finally:
            found.random_state = before
    return estimator


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


def _given(X: Any, y: Any, weight: Any) -> tuple[list[Checked], bool]:
    """Return the checked rows of this rank in some pieces, and whether these are parts as they are."""
    if isinstance(X, list | tuple) and all(isinstance(each, tuple) and len(each) in (2, 3) for each in X):
        if y is not None or weight is not None:
            raise TypeError("y and sample_weight must be None for a list of parts, which have their own")
        return [checked_part(*each) for each in X], True
    if isinstance(X, Iterable) and not hasattr(X, "shape"):
        expected = "an array, a CSR matrix or a list of tuples (X, y) or (X, y, sample_weight)"
        raise TypeError(f"X must be {expected}, got {describe(X)}")
    if len(getattr(X, "shape", ())) == 2 and X.shape[0] == 0:
        return [], False
    return [checked_part(X, y, weight)], False


def _kind(checked: Checked) -> tuple[int, str, str, bool]:
    X, _, weight = checked
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


def _cuts(before: int, n: int, part_rows: int) -> list[int]:
    """Return where n rows are cut, of which the first one is row ``before`` of all ranks."""
    inner = range((before // part_rows + 1) * part_rows - before, n, part_rows)
    return [0, *inner, n]
