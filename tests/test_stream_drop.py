"""Streams without some columns of their files, and the progress of their passes."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st

FRAME = {"a": [1.0, 2.0, 3.0], "name": ["x", "y", "z"], "b": [4.0, 5.0, 6.0], "y": [0.0, 1.0, 1.0]}


def write(folder, kind):
    if kind == "npy":
        np.save(folder / "t.npy", np.array([[1.0, 7.0, 4.0, 0.0], [2.0, 8.0, 5.0, 1.0], [3.0, 9.0, 6.0, 1.0]]))
        return folder / "t.npy", {"target": -1, "drop": [1]}
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame, path = pandas.DataFrame(FRAME), folder / f"t.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    return path, {"target": "y", "drop": ["name"]}


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy"])
@pytest.mark.parametrize("cached", [False, True])
def test_dropped_columns_are_no_features(tmp_path, kind, cached):
    path, options = write(tmp_path, kind)
    for _ in range(1 + cached):  # the second time the cache is read
        stream = st.open_stream(path, **options, memory="1 GiB", cache=tmp_path / "cache" if cached else None)
        assert stream.read(0).X.tolist() == [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
        assert stream.feature_names == (None if kind == "npy" else ["a", "b"])


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy"])
def test_other_columns_make_another_cache(tmp_path, kind):
    path, options = write(tmp_path, kind)
    more = {**options, "drop": [*options["drop"], 2 if kind == "npy" else "b"]}
    found = [st.open_stream(path, **each, cache=tmp_path / "cache").n_features for each in (options, more, options)]
    assert found == [2, 1, 2]


def test_what_cannot_be_dropped(tmp_path):
    path, _ = write(tmp_path, "parquet")
    with pytest.raises(ValueError, match=r"^drop must be the name of a column of .*t\.parquet .*, got 'c'$"):
        st.open_stream(path, target="y", drop=["c"])
    with pytest.raises(ValueError, match=r"^drop must name neither the target nor the weight, got \['name', 'y'\]$"):
        st.open_stream(path, target="y", drop=["name", "y"])
    with pytest.raises(TypeError, match=r"^drop must be a list of columns, got "):
        st.open_stream(path, target="y", drop="name")
    with pytest.raises(ValueError, match=r"^drop must be empty for a source of blocks, got \[0\]$"):
        st.open_stream([(np.ones((2, 1)), np.ones(2))], drop=[0])
    path, _ = write(tmp_path, "npy")
    with pytest.raises(ValueError, match=r"^drop must name neither the target nor the weight, got \[3\]$"):
        st.open_stream(path, target=-1, drop=[3])
    with pytest.raises(ValueError, match=r"must have a column of X beside the target"):
        st.open_stream(path, target=-1, drop=[0, 1, 2])


@pytest.mark.parametrize("cached", [False, True])
def test_progress_counts_the_rows_of_every_pass(tmp_path, cached):
    rows: list[int] = []
    blocks = [(np.ones((5, 2)), np.ones(5))]
    cache = tmp_path / "cache" if cached else None
    stream = st.open_stream(blocks, part_rows=2, cache=cache, progress=rows.append)
    assert rows == [2, 2, 1]
    list(stream.parts())
    assert rows == [2, 2, 1, 2, 2, 1]
    iterator = stream.parts([1, 2])
    next(iterator)
    iterator.close()
    assert rows[6:] == [2]
