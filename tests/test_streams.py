"""Streams give the rows of their sources, in parts of the stated size, whatever the source and its blocks."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import sparse

import steepest as st
from steepest.arrays.sparse import CSRView

RNG = np.random.default_rng(0)
X = RNG.standard_normal((500, 3))
Y = (X[:, 0] > 0).astype(float)
WEIGHT = RNG.uniform(0.5, 2.0, 500)
TEXT = np.where(Y > 0, "yes", "no")


def whole(stream):
    """The rows of all parts, put together, as dense arrays."""
    parts = list(stream.parts())
    assert [part.index for part in parts] == list(range(len(stream.sizes)))
    assert tuple(len(part.y) for part in parts) == stream.sizes
    X = np.concatenate([dense(part.X) for part in parts])
    y = np.concatenate([part.y for part in parts])
    return X, y, np.concatenate([part.weight for part in parts]) if stream.has_weights else None


def dense(X):
    return X.toarray(X.dtype) if isinstance(X, CSRView) else X


def blocks_of(ends, X=X, y=Y, weight=None):
    """The rows between some ends, as blocks."""
    bounds = [0, *sorted({end for end in ends if 0 < end < len(y)}), len(y)]
    cuts = [slice(*pair) for pair in itertools.pairwise(bounds)]
    return [(X[cut], y[cut]) if weight is None else (X[cut], y[cut], weight[cut]) for cut in cuts]


class Again:
    """Blocks that can be iterated again, but not indexed."""

    def __init__(self, blocks):
        self.blocks = blocks

    def __iter__(self):
        return iter(self.blocks)


def make(kind, folder, y=Y, weight=WEIGHT):
    """A source of X, y and the weights, and the arguments with which it is opened."""
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y, s=weight)
    named = {"target": "y", "weight": "s"}
    if kind == "blocks":
        return blocks_of([100, 101, 350], y=y, weight=weight), {}
    if kind == "iterable":
        return Again(blocks_of([100, 101, 350], y=y, weight=weight)), {}
    if kind == "npy":
        paths = tuple(folder / f"{name}.npy" for name in ("X", "y", "s"))
        for path, array in zip(paths, (X, y, weight), strict=True):
            np.save(path, array)
        return paths, {}
    if kind == "parquet":
        frame.to_parquet(folder / "all.parquet", row_group_size=170)
        return folder / "all.parquet", named
    raise AssertionError(kind)


KINDS = ["blocks", "iterable", "npy", "parquet"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part_rows", [1, 64, 100, 499, 500, 2**18])
def test_every_source_gives_the_rows_of_the_arrays(kind, part_rows, tmp_path):
    source, arguments = make(kind, tmp_path)
    stream = st.open_stream(source, part_rows=part_rows, **arguments)
    assert stream.sizes == (part_rows,) * (500 // part_rows) + (500 % part_rows,) * (500 % part_rows > 0)
    found = whole(stream)
    assert [array.tobytes() for array in found] == [array.tobytes() for array in (X, Y, WEIGHT)]
    assert (stream.n_samples, stream.n_features, stream.n_elements, len(stream)) == (500, 3, 1500, 500)
    assert (stream.dtype, stream.storage, stream.is_sparse) == (np.float64, "float64", False)
    assert stream.weight_sum == pytest.approx(WEIGHT.sum(), rel=1e-15)
    assert stream.least_weight == WEIGHT.min()


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_the_same_in_any_order(kind, tmp_path):
    source, arguments = make(kind, tmp_path)
    stream = st.open_stream(source, part_rows=70, **arguments)
    for index in (3, 0, 7, 6, 6, 2):
        part = stream.read(index)
        assert part.index == index
        assert part.X.tobytes() == X[70 * index : 70 * index + 70].tobytes()
        assert part.y.tobytes() == Y[70 * index : 70 * index + 70].tobytes()
        assert part.weight.tobytes() == WEIGHT[70 * index : 70 * index + 70].tobytes()
    order = [1, 4, 6] if kind == "iterable" else [6, 1, 4]
    assert [part.index for part in stream.parts(order)] == order
    assert all(part.X.tobytes() == stream.read(part.index).X.tobytes() for part in stream.parts(order))


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_taken_for_classes(kind, tmp_path):
    source, arguments = make(kind, tmp_path, y=TEXT)
    stream = st.open_stream(source, part_rows=70, **arguments)
    assert stream.classes.tolist() == ["no", "yes"]
    assert whole(stream)[1].tobytes() == Y.tobytes()


@given(some.lists(some.integers(0, 500), max_size=12), some.integers(1, 600))
def test_parts_do_not_depend_on_the_blocks(ends, part_rows):
    stream = st.open_stream(blocks_of(ends, weight=WEIGHT), part_rows=part_rows)
    wanted = st.open_stream([(X, Y, WEIGHT)], part_rows=part_rows)
    assert (stream.sizes, stream.weight_sum) == (wanted.sizes, wanted.weight_sum)
    for one, other in zip(stream.parts(), wanted.parts(), strict=True):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one[1:], other[1:], strict=True))


@given(some.lists(some.integers(0, 60), max_size=6), some.integers(1, 70), some.integers(0, 9))
def test_sparse_parts_do_not_depend_on_the_blocks(ends, part_rows, first):
    S = sparse.random_array((60, 9), density=0.3, format="csr", rng=np.random.default_rng(first))
    stream = st.open_stream(blocks_of(ends, S, Y[:60]), part_rows=part_rows)
    assert stream.is_sparse
    assert stream.n_elements == S.nnz
    assert whole(stream)[0].tobytes() == S.toarray().tobytes()
    for index in reversed(range(len(stream.sizes))):
        part, rows = stream.read(index), S[part_rows * index : part_rows * (index + 1)]
        assert part.X.data.tobytes() == rows.data.tobytes()
        assert (part.X.indices == rows.indices).all()
        assert (part.X.indptr == rows.indptr).all()


def test_arrays_of_a_part_never_change(tmp_path):
    """Whoever keeps a part keeps its rows, though its memory would be used again."""
    wide = RNG.standard_normal((4000, 400))
    np.save(tmp_path / "X.npy", wide)
    np.save(tmp_path / "y.npy", wide[:, 0])
    stream = st.open_stream((tmp_path / "X.npy", tmp_path / "y.npy"), part_rows=500)
    kept = [part.X[3:7] for part in stream.parts()]
    for _ in stream.parts():
        pass
    assert all((rows == wide[500 * i + 3 : 500 * i + 7]).all() for i, rows in enumerate(kept))


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "steepest-stream"]


def test_a_closed_iterator_ends_its_thread():
    stream = st.open_stream([(X, Y)], part_rows=10)
    parts = stream.parts()
    next(parts)
    assert len(threads()) == 1
    parts.close()
    assert threads() == []


def test_an_error_ends_the_thread():
    blocks = blocks_of([100, 200, 300])
    stream = st.open_stream(blocks, part_rows=10)
    blocks[2] = (blocks[2][0] + 1.0, blocks[2][1])
    with pytest.raises(ValueError, match=r"source gave other rows in part 20 than in the first pass; all passes must"):
        whole(stream)
    assert threads() == []
