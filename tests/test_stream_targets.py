"""Targets of streams: the dtype of labels, text that changes, blocks without rows, and streams without a target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import steepest as st
from steepest.objectives.parts import parts_of

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3))
Y = (X[:, 0] > 0).astype(int) + 3
WEIGHT = RNG.uniform(0.5, 2.0, 200)
NAMES = ["a", "b", "c"]


def saved(folder, kind, y=Y):
    """A source with a target, and the arguments with which it is opened."""
    frame = pd.DataFrame(X, columns=NAMES).assign(y=y)
    if kind == "blocks":
        return [(X[:90], y[:90]), (X[90:], y[90:])], {}
    if kind == "npy":
        np.save(folder / "X.npy", X)
        np.save(folder / "y.npy", y)
        return (folder / "X.npy", folder / "y.npy"), {}
    if kind == "csv":
        frame.to_csv(folder / "t.csv", index=False)
        return folder / "t.csv", {"target": "y"}
    frame.to_parquet(folder / "t.parquet", row_group_size=70)
    return folder / "t.parquet", {"target": "y"}


def without_target(folder, kind):
    """The same rows in a source without a target."""
    frame = pd.DataFrame(X, columns=NAMES)
    if kind == "blocks":
        return [(X[:90],), (X[90:],)]
    if kind == "npy":
        np.save(folder / "only.npy", X)
        return folder / "only.npy"
    if kind == "csv":
        frame.to_csv(folder / "only.csv", index=False)
        return folder / "only.csv"
    frame.to_parquet(folder / "only.parquet", row_group_size=70)
    return folder / "only.parquet"


def rows_for(model):
    """The rows, with names if the model has them."""
    return pd.DataFrame(X, columns=NAMES) if hasattr(model, "feature_names_in_") else X


KINDS = ["blocks", "npy", "csv", "parquet"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", [Y, Y == 4, Y.astype(np.float64)], ids=["int", "bool", "float"])
def test_classes_have_the_dtype_of_the_labels(kind, labels, tmp_path):
    """As a fit of the arrays gives them."""
    source, arguments = saved(tmp_path, kind, labels)
    stream = st.open_stream(source, part_rows=64, **arguments)
    model, expected = st.LogisticClassifier().fit(stream), st.LogisticClassifier().fit(X, labels)
    assert stream.target_dtype == labels.dtype
    assert (model.classes_.dtype, model.classes_.tolist()) == (expected.classes_.dtype, expected.classes_.tolist())
    assert model.predict(rows_for(model)).dtype == labels.dtype
    assert model.score(stream) == pytest.approx(expected.score(X, labels))


def test_labels_of_several_dtypes_get_one_that_has_them_all(tmp_path):
    blocks = [(X[:90], Y[:90].astype(np.int8)), (X[90:], Y[90:].astype(np.float32))]
    assert st.LogisticClassifier().fit(st.open_stream(blocks)).classes_.dtype == np.float32
    for number, dtype in enumerate((np.int8, np.int32)):
        np.save(tmp_path / f"X{number}.npy", X)
        np.save(tmp_path / f"y{number}.npy", Y.astype(dtype))
    files = [(tmp_path / f"X{number}.npy", tmp_path / f"y{number}.npy") for number in range(2)]
    assert st.open_stream(files).target_dtype == np.int32


def test_text_whose_later_numbers_are_no_integers_keeps_them(tmp_path):
    """The types of text are those of its first block."""
    rows = [f"{value},{number % 2}" for number, value in enumerate(RNG.standard_normal(60_000))]
    (tmp_path / "t.csv").write_text("\n".join(["a,y", *rows, "0.5,2.5", ""]))
    stream = st.open_stream(tmp_path / "t.csv", target="y", memory="64 MiB")
    assert stream.target_dtype == np.int64
    with pytest.raises(ValueError, match=r"[Uu]nknown label type"):
        st.LogisticClassifier().fit(stream)


@pytest.mark.parametrize("cached", [False, True])
def test_text_targets_that_change_between_passes_are_an_error(cached, tmp_path):
    text = np.where(Y == 4, "yes", "no").astype(object)
    blocks = [(X[:90], text[:90].copy()), (X[90:], text[90:])]
    stream = st.open_stream(blocks, part_rows=50, cache=tmp_path if cached else None)
    before = [part.y.tobytes() for part in stream.parts()]
    blocks[0][1][7] = "no" if text[7] == "yes" else "yes"
    if cached:  # later passes read the copy
        assert [part.y.tobytes() for part in stream.parts()] == before
        return
    with pytest.raises(ValueError, match=r"source gave other rows in part 0 than in the first pass; all passes must"):
        list(stream.parts())


@pytest.mark.parametrize("iterable", [False, True])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_blocks_without_rows_are_left_out(iterable, is_sparse):
    rows = sparse.csr_array(X) if is_sparse else X
    cuts = [(0, 0), (0, 80), (80, 80), (80, 80), (80, 200), (200, 200)]
    blocks = [(rows[slice(*cut)], Y[slice(*cut)]) for cut in cuts]

    class Again:
        def __iter__(self):
            return iter(blocks)

    stream = st.open_stream(Again() if iterable else blocks, part_rows=70)
    assert stream.sizes == (70, 70, 60)
    for index in (0, 1, 2, 2, 0):
        part = stream.read(index)
        found = part.X.toarray(np.float64) if is_sparse else part.X
        assert found.tobytes() == X[70 * index : 70 * index + 70].tobytes()
        assert part.y.tolist() == Y[70 * index : 70 * index + 70].tolist()
    with pytest.raises(ValueError, match="source has no rows"):
        st.open_stream(blocks[:1])
    with pytest.raises(ValueError, match="block 2 must have 3 columns, as block 1, got 2"):
        st.open_stream([blocks[0], blocks[1], (rows[80:, :2], Y[80:])])


def test_files_without_rows_are_left_out(tmp_path):
    cuts = [slice(0, 0), slice(0, 80), slice(80, 80), slice(80, 200)]
    for number, cut in enumerate(cuts):
        np.save(tmp_path / f"X{number}.npy", X[cut])
        np.save(tmp_path / f"y{number}.npy", Y[cut])
    stream = st.open_stream([(tmp_path / f"X{i}.npy", tmp_path / f"y{i}.npy") for i in range(4)], part_rows=90)
    assert np.concatenate([part.X for part in stream.parts()]).tobytes() == X.tobytes()
    assert st.LogisticClassifier().fit(stream).classes_.dtype == Y.dtype


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cached", [False, True])
def test_a_stream_without_a_target_serves_predictions(kind, cached, tmp_path):
    source, arguments = saved(tmp_path, kind)
    model = st.LogisticClassifier().fit(st.open_stream(source, **arguments))
    cache = tmp_path / "cache" if cached else None
    for _ in range(2):
        stream = st.open_stream(without_target(tmp_path, kind), part_rows=64, cache=cache)
        assert (stream.has_target, stream.target_dtype, stream.n_features) == (False, None, 3)
        assert (model.predict(stream) == model.predict(rows_for(model))).all()
        np.testing.assert_allclose(model.predict_proba(stream), model.predict_proba(rows_for(model)), rtol=1e-12)
        for use in (lambda s: st.Logistic(s), model.score, st.LinearRegressor().fit, st.LogisticClassifier().fit):
            with pytest.raises(ValueError, match=r"^y must be known, got a stream without a target; name it: open_str"):
                use(stream)


def test_a_validation_set_needs_a_target():
    with pytest.raises(ValueError, match="y must be known, got a stream without a target"):
        st.LogisticClassifier().fit(st.open_stream([(X, Y)]), X_val=st.open_stream([(X,)]))


def test_a_column_of_weights_is_no_feature_of_a_table_without_a_target(tmp_path):
    pd.DataFrame(X, columns=NAMES).assign(s=WEIGHT).to_parquet(tmp_path / "t.parquet")
    np.save(tmp_path / "t.npy", np.column_stack([X, WEIGHT]))
    for source, weight in ((tmp_path / "t.parquet", "s"), (tmp_path / "t.npy", -1)):
        stream = st.open_stream(source, weight=weight)
        assert (stream.n_features, stream.has_weights, stream.has_target) == (3, True, False)
        assert stream.read(0).weight.tobytes() == WEIGHT.tobytes()
        assert stream.read(0).X.tobytes() == X.tobytes()


def test_all_blocks_have_a_target_or_none():
    with pytest.raises(ValueError, match=r"block 1 must be \(X,\), as block 0, got 2 array"):
        st.open_stream([(X,), (X, Y)])
    with pytest.raises(ValueError, match=r"block 1 must be \(X, y\), as block 0, got 1 array"):
        st.open_stream([(X, Y), (X,)])


@pytest.mark.parametrize("text", [False, True])
def test_the_sum_of_the_weights_is_that_of_the_parts(text):
    """Weights whose sums in two orders differ in the last bits."""
    weight = np.random.default_rng(3).lognormal(size=200) * 10.0 ** (np.arange(200) % 9)
    y = np.where(Y == 4, "yes", "no") if text else Y
    stream = st.open_stream([(X, y, weight)], part_rows=17)
    tree = [weight[at : at + 17].sum() for at in range(0, 200, 17)]
    while len(tree) > 1:
        tree = [sum(tree[at : at + 2]) for at in range(0, len(tree), 2)]
    assert stream.weight_sum == parts_of(stream).known.weight_sum == tree[0]
