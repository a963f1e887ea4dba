"""Streams give the rows of their sources, in parts of the stated size, whatever the source and its blocks."""

from __future__ import annotations

import itertools
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

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
    assert kind.startswith("csv")
    path = folder / f"all.{kind}"
    frame.to_csv(path, index=False)  # pandas writes as many digits as a float64 needs
    return path, named


KINDS = ["blocks", "iterable", "npy", "parquet", "csv", "csv.gz", "csv.xz"]
IN_ORDER = ("iterable", "csv.gz", "csv.xz")


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
    order = [1, 4, 6] if kind in IN_ORDER else [6, 1, 4]
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


def test_svmlight_gives_the_rows_that_scikit_learn_reads(tmp_path):
    S = sparse.random_array((500, 9), density=0.3, format="csr", rng=np.random.default_rng(1))
    path = tmp_path / "all.svmlight"
    dump_svmlight_file(S, Y, str(path), zero_based=True)
    wanted, y = load_svmlight_file(str(path), zero_based=True)
    stream = st.open_stream(path, part_rows=70)
    found = whole(stream)
    assert stream.is_sparse
    assert (stream.n_features, stream.n_elements) == (9, S.nnz)
    assert found[0].tobytes() == wanted.toarray().tobytes()
    assert found[1].tobytes() == y.tobytes()
    assert stream.read(3).X.data.tobytes() == wanted[210:280].data.tobytes()


def test_groups_of_svmlight_rows_are_announced_as_unused(tmp_path):
    (tmp_path / "t.svm").write_text("1 qid:1 0:2\n0 qid:1 2:1 # a comment\n\n0 qid:2\n")
    with pytest.warns(UserWarning, match=r"t.svm: the groups of rows \(qid\) are not used"):
        stream = st.open_stream(tmp_path / "t.svm")
    assert whole(stream)[0].tolist() == [[2, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_files_follow_one_another_and_their_columns_go_by_name(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=Y)
    pieces = frame[:200], frame[200:201][["y", "c", "a", "b"]], frame[201:]
    for number, piece in enumerate(pieces):
        piece.to_parquet(tmp_path / f"{number}.parquet", index=False)
        piece.to_csv(tmp_path / f"{number}.csv", index=False)
    (tmp_path / "folder").mkdir()
    for number, piece in enumerate(pieces):
        piece.to_csv(tmp_path / "folder" / f"{number}.csv", index=False)
    (tmp_path / "folder" / "_SUCCESS").write_text("")
    sources = [
        tmp_path / "folder",
        str(tmp_path / "*.csv"),
        str(tmp_path / "*.parquet"),
        [tmp_path / f"{number}.parquet" for number in range(3)],
    ]
    for source in sources:
        stream = st.open_stream(source, target="y", part_rows=64)
        assert stream.feature_names == ["a", "b", "c"]
        assert whole(stream)[0].tobytes() == X.tobytes()
        assert stream.read(4).X.tobytes() == X[256:320].tobytes()


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_tables_and_lists_of_pairs(order, tmp_path):
    table = np.asarray(np.c_[WEIGHT, X, Y], order=order)
    np.save(tmp_path / "table.npy", table)
    found = whole(st.open_stream(tmp_path / "table.npy", target=-1, weight=0, part_rows=64))
    assert [array.tobytes() for array in found] == [array.tobytes() for array in (X, Y, WEIGHT)]
    pairs = []
    for number, cut in enumerate((slice(0, 200), slice(200, 500))):
        pairs.append((tmp_path / f"X{number}.npy", tmp_path / f"y{number}.npy"))
        np.save(pairs[-1][0], np.asarray(X[cut], order=order))
        np.save(pairs[-1][1], Y[cut])
    found = whole(st.open_stream(pairs, part_rows=64))
    assert found[0].tobytes() == X.tobytes()
    assert found[1].tobytes() == Y.tobytes()


@pytest.mark.parametrize(
    ("found", "given", "dtype", "storage"),
    [
        ("float32", None, "float32", "float32"),
        ("float16", None, "float32", "float16"),
        ("float16", "float64", "float64", "float64"),
        ("float64", None, "float64", "float64"),
        ("float64", "float32", "float32", "float32"),
        ("int8", None, "float64", "float64"),
        ("uint16", "float32", "float32", "float32"),
        ("bool", None, "float64", "float64"),
        (">f8", None, "float64", "float64"),
    ],
)
def test_dtypes(found, given, dtype, storage, tmp_path):
    values = (4 * X).round().clip(0, 1).astype(found)
    np.save(tmp_path / "X.npy", values)
    np.save(tmp_path / "y.npy", Y > 0)
    sources = [[(values, Y)], (tmp_path / "X.npy", tmp_path / "y.npy")]
    if found != ">f8":
        pd.DataFrame(values, columns=list("abc")).assign(y=Y > 0).to_parquet(tmp_path / "t.parquet")
        sources.append(tmp_path / "t.parquet")
    for source in sources:
        stream = st.open_stream(source, target="y" * (source == tmp_path / "t.parquet") or None, dtype=given)
        part = stream.read(0)
        assert (stream.dtype.name, stream.storage) == (dtype, storage)
        assert (part.X.dtype.name, part.y.dtype.name) == (storage, dtype)
        assert (values == part.X).all()
        assert (part.y == Y).all()


def test_the_index_of_a_pandas_frame_is_no_feature(tmp_path):
    pd.DataFrame(X[::2], columns=["a", "b", "c"], index=range(1, 501, 2)).assign(y=Y[::2]).iloc[::-1].to_parquet(
        tmp_path / "t.parquet"
    )
    assert st.open_stream(tmp_path / "t.parquet", target="y").feature_names == ["a", "b", "c"]


def test_parquet_types_of_labels_and_numbers(tmp_path):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [True, False, True], "y": pd.Categorical(["u", "v", "u"])})
    frame["d"] = [Decimal("1.25"), Decimal("2.50"), Decimal("-1.00")]
    frame.to_parquet(tmp_path / "t.parquet")
    stream = st.open_stream(tmp_path / "t.parquet", target="y", part_rows=2)
    assert whole(stream)[0].tolist() == [[1, 1, 1.25], [2, 0, 2.5], [3, 1, -1]]
    assert (stream.classes.tolist(), whole(stream)[1].tolist()) == (["u", "v"], [0, 1, 0])


def test_weights_of_zero(tmp_path):
    weight = np.where(Y > 0, 2.0, 0.0)
    stream = st.open_stream([(X, Y, weight)], part_rows=64)
    assert (stream.weight_sum, stream.least_weight) == (2.0 * Y.sum(), 2.0)
    stream = st.open_stream([(X, Y)], part_rows=64)
    assert (stream.weight_sum, stream.least_weight, stream.has_weights) == (500.0, 1.0, False)


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz", "npy", "svmlight"])
def test_a_file_may_be_named_twice(tmp_path, kind):
    X, y = np.arange(1.0, 31.0).reshape(10, 3), np.arange(10.0)
    path = tmp_path / f"t.{kind}"
    frame = pd.DataFrame(X, columns=list("abc")).assign(y=y)
    if kind == "parquet":
        frame.to_parquet(path, row_group_size=4)
    elif kind == "npy":
        np.save(path, np.column_stack([X, y]))
    elif kind == "svmlight":
        dump_svmlight_file(X, y, str(path), zero_based=True)
    else:
        frame.to_csv(path, index=False)
    target = {"npy": 3, "svmlight": None}.get(kind, "y")
    stream = st.open_stream([path, path, path], target=target, part_rows=7)
    for _ in range(2):
        assert np.concatenate([part.y for part in stream.parts()]).tolist() == [*y, *y, *y]
    assert stream.read(3).y.tolist() == [1, 2, 3, 4, 5, 6, 7]
