"""Errors of streams name the file, the row and what to do, and a file that changes is never read as if it had not."""

from __future__ import annotations

import os
import threading

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import steepest as st

X = np.arange(30.0).reshape(10, 3)
Y = np.tile([0.0, 1.0], 5)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=Y, s=1.0)


def saved(folder, frame, kind, name="t"):
    """Write a frame and return the path."""
    path = folder / f"{name}.{kind}"
    if kind == "parquet":
        frame.to_parquet(path, row_group_size=max(len(frame) // 3, 1), index=False)
    else:
        frame.to_csv(path, index=False)
    return path


def changed(column, row, value, dtype=object):
    frame = FRAME.astype({column: dtype})
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (changed("b", 6, np.inf, float), r"column 'b' must be finite, got inf as float64 in row 6 of .*t\.\w+$"),
        (changed("y", 5, -np.inf, float), r"the target must be finite, got -inf as float64 in row 5 of .*t\.\w+$"),
        (
            changed("b", 6, None, "Float64"),
            r"column 'b' must have no missing value, got one in row 6 of .*t\.\w+; drop",
        ),
        (
            changed("y", 9, None, "Float64"),
            r"column 'y' must have no missing value, got one in row 9 of .*t\.\w+; drop",
        ),
        (
            changed("s", 0, None, "Float64"),
            r"column 's' must have no missing value, got one in row 0 of .*t\.\w+; drop",
        ),
        (changed("s", 8, -2.0, float), r"the weight must be at least 0, got -2 in row 8 of .*t\.\w+$"),
        (FRAME.assign(s=0.0), r"the weights of .*t\.\w+ must have a positive finite sum, got 0$"),
        (
            FRAME.assign(b="red"),
            r"column 'b' of .*t\.\w+ must hold numbers, got .*string; encode it as numbers .*get_dum",
        ),
        (FRAME.assign(s="red"), r"column 's' of .*t\.\w+ must hold numbers, got .*string; encode it"),
        (FRAME.assign(b=pd.Timestamp("2020-01-01")), r"column 'b' of .*t\.\w+ must hold numbers, got (timestamp|date)"),
        (FRAME[["y", "s"]], r".*t\.\w+ must have a column beside the target and the weight, got \['y', 's'\]"),
        (FRAME[:0], r".*t\.\w+ has no rows$"),
    ],
)
def test_rows_that_cannot_be_used(kind, frame, message, tmp_path):
    path = saved(tmp_path, frame, kind)
    with pytest.raises(ValueError, match=message):
        st.open_stream(path, target="y", weight="s", part_rows=3)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("target", "weight", "error", "message"),
    [
        (3, None, TypeError, r"target must be the name of a column of .*, got 3 \(int\)"),
        ("z", None, ValueError, r"target must be the name of a column of .*, got 'z'"),
        ("y", "z", ValueError, r"weight must be the name of a column of .*, got 'z'"),
        ("y", "y", ValueError, r"target and weight must be different columns, got 'y' for both"),
    ],
)
def test_columns_by_name(kind, target, weight, error, message, tmp_path):
    with pytest.raises(error, match=message):
        st.open_stream(saved(tmp_path, FRAME, kind), target=target, weight=weight)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("second", "message"),
    [
        (FRAME.drop(columns="b"), r"the same columns; .*2\.\w+ has no column 'b', and .*1\.\w+ has one$"),
        (FRAME.assign(z=1.0), r"the same columns; .*2\.\w+ has a column 'z', and .*1\.\w+ has none$"),
        (FRAME.assign(b="x"), r"column 'b' of .*2\.\w+ must hold numbers, got .*string"),
        (FRAME.assign(y="x"), r"column 'y' of .*2\.\w+ must hold numbers, as in .*1\.\w+, got .*string"),
    ],
)
def test_files_that_do_not_match(kind, second, message, tmp_path):
    paths = [saved(tmp_path, FRAME, kind, "1"), saved(tmp_path, second, kind, "2")]
    with pytest.raises(ValueError, match=message):
        st.open_stream(paths, target="y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,y\n1,2,3\n4,x,5\n", r"column 'b' of .*t.csv must hold numbers, got string"),
        ("a,b,y\n" + "1,2,3\n" * 90_000 + "4,x,5\n", r"column 'b' must hold a number, got 'x' in row 90000 of .*t.csv"),
        ("a,b,y\n1,2,3\n4,5\n", r"t.csv cannot be read as CSV: CSV parse error: .*Expected 3 columns, got 2"),
        ("1,2,3\n4,5,6\n", r"t.csv must name its columns in the first line, got the numbers 1, 2, 3"),
        ("", r"t.csv must name its columns in the first line, which is empty"),
        ("a,b,b,y\n1,2,3,4\n", r"t.csv has two columns named 'b'; rename one"),
        ("a,b,y\n1,,3\n", r"column 'b' must have no missing value, got one in row 0 of .*t.csv"),
    ],
)
def test_text_that_cannot_be_read(text, message, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        st.open_stream(tmp_path / "t.csv", target="y", memory="16 MiB")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1:2\n0 2:x\n", r"t.svm cannot be read as svmlight: line 2: expected the number of a column, a colon"),
        ("1 3:1 2:5\n", r"t.svm cannot be read as svmlight: line 1: expected rising numbers"),
        ("1 1:2\n0 7:inf\n", r"column 7 must be finite, got inf as float64 in row 1 of .*t.svm"),
        ("# nothing\n", r"t.svm has no rows"),
        ("", r"t.svm has no rows"),
    ],
)
def test_svmlight_that_cannot_be_read(text, message, tmp_path):
    (tmp_path / "t.svm").write_text(text)
    with pytest.raises(ValueError, match=message):
        st.open_stream(tmp_path / "t.svm")


def npy(folder, **arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return tuple(folder / f"{name}.npy" for name in arrays)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        (
            {"X": X, "y": Y[:9]},
            ValueError,
            r"y.npy must have shape \(10,\), a target for each row of .*X.npy, got \(9,\)",
        ),
        ({"X": X, "y": Y, "s": Y[1:]}, ValueError, r"s.npy must have shape \(10,\), a weight for each row"),
        ({"X": Y, "y": Y}, ValueError, r"X.npy must hold an array of two dimensions with at least one row, got shape"),
        ({"X": X.astype(str), "y": Y}, ValueError, r"X.npy must hold numbers, got text \(<U32\)"),
        ({"X": X.astype(complex), "y": Y}, ValueError, r"X.npy must hold numbers, got complex128"),
        ({"X": X[:0], "y": Y[:0]}, ValueError, r"X.npy must hold an array of two dimensions with at least one row"),
        (
            {"X": np.where(X == 7.0, np.nan, X), "y": Y},
            ValueError,
            r"column 1 must be finite, got nan .* row 2 of .*X.npy",
        ),
    ],
)
def test_npy_files_that_cannot_be_used(arrays, error, message, tmp_path):
    paths = npy(tmp_path, **arrays)
    with pytest.raises(error, match=message):
        st.open_stream(paths if len(paths) > 1 else paths[0])


class Once:
    """Blocks that are exhausted after one pass, though `iter` says otherwise."""

    def __init__(self, blocks):
        self.left = list(blocks)

    def __iter__(self):
        while self.left:
            yield self.left.pop(0)


BLOCKS = [(X[:4], Y[:4]), (X[4:], Y[4:])]


@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        (
            iter(BLOCKS),
            TypeError,
            r"source must give its blocks anew in each pass, got list_iterator, which is exhausted",
        ),
        (
            (block for block in BLOCKS),
            TypeError,
            r"anew in each pass, got generator, which is exhausted after one pass",
        ),
        ([], ValueError, r"source has no blocks"),
        (
            (X, Y),
            TypeError,
            r"must yield blocks \(X, y\) or .*, got float64 of shape \(10, 3\) in block 0; .*\[\(X, y\)\]",
        ),
        ([(X, Y), X], TypeError, r"source must yield blocks .*, got float64 of shape \(10, 3\) in block 1"),
        (
            [(X, Y[1:])],
            TypeError,
            r"y of block 0 must be an array of shape \(10,\), one element for each row of X, got fl",
        ),
        ([(X.astype(str), Y)], TypeError, r"X of block 0 must hold numbers, got <U32 of shape .*; encode its columns"),
        ([(X, Y), (X[:, :2], Y)], ValueError, r"block 1 must have 3 columns, as block 0, got 2"),
        (
            [(X, Y), (sparse.csr_array(X), Y)],
            ValueError,
            r"X of block 1 must be dense, as in block 0, got a sparse one",
        ),
        ([(X, Y), (X, Y, Y)], ValueError, r"block 1 must be \(X, y\), as block 0, got 3 arrays"),
        ([(X, Y), (X, Y.astype(str))], ValueError, r"y of block 1 must hold numbers, as block 0, got <U"),
        (
            [(X.astype("f4"), Y), (X, Y)],
            ValueError,
            r"X of block 1 must fit into float32, as block 0, got float64; set dt",
        ),
        ([(sparse.csc_array(X), Y)], TypeError, r"X must be a CSR matrix if it is sparse, got csc_array"),
        (5, TypeError, r"source must be a path, a tuple or list of paths, or blocks"),
        ([(X, np.array(["a", None] * 5, object))], ValueError, r"y must hold text only, got None in row 1 of block 0"),
    ],
)
def test_blocks_that_cannot_be_used(blocks, error, message):
    with pytest.raises(error, match=message):
        st.open_stream(blocks)


def test_blocks_that_come_once_only():
    with pytest.raises(ValueError, match="source has no rows"):
        list(st.open_stream(Once(BLOCKS[:1])).parts())
    stream = st.open_stream(Once([BLOCKS[0], *BLOCKS]), part_rows=3)  # opening looks at the first block beforehand
    with pytest.raises(
        ValueError, match=r"source ended after 0 rows; in the first pass it had 10; all passes must give"
    ):
        list(stream.parts())


def test_arguments(tmp_path):
    def refused(error, message, source=BLOCKS, **arguments):
        with pytest.raises(error, match=message):
            st.open_stream(source, **arguments)

    refused(ValueError, "part_rows must be an integer of at least 1, got 0", part_rows=0)
    refused(TypeError, "dtype must be float32, float64 or None, got 'int32'", dtype="int32")
    refused(ValueError, "memory must be .*, got \"?'?1 parsec", memory="1 parsec")
    refused(TypeError, "memory must be .*, got None", memory=None)
    refused(ValueError, "target must be None for a source of blocks, which brings its own, got 'y'", target="y")
    refused(FileNotFoundError, r"absent.csv: no such file", tmp_path / "absent.csv", target="y")
    refused(FileNotFoundError, r"\*.csv: no file matches", tmp_path / "*.csv", target="y")
    refused(FileNotFoundError, r"has no files in it", tmp_path, target="y")
    (tmp_path / "inner").mkdir()
    refused(ValueError, r"has folders in it, such as inner; name the files", tmp_path, target="y")
    (tmp_path / "t.xlsx").write_text("")
    refused(ValueError, r"t.xlsx is of an unknown kind; expected one of .parquet", tmp_path / "t.xlsx", target="y")
    both = [saved(tmp_path, FRAME, kind) for kind in ("csv", "parquet")]
    refused(
        ValueError, r"all files must be of one kind, got .*t.csv \(CSV\) and .*t.parquet \(Parquet\)", both, target="y"
    )
    refused(ValueError, r"a tuple of paths must name two or three .npy files", tuple(both), target="y")
    refused(TypeError, "cache must be the path of a folder or None, got 1", cache=1)
    refused(ValueError, "cache must be the path of a folder, got the file", cache=both[0])
    stream = st.open_stream(BLOCKS, part_rows=5)
    with pytest.raises(ValueError, match="index must be an integer from 0 to 1, got 2"):
        stream.read(2)
    with pytest.raises(ValueError, match="order must be an integer from 0 to 1, got -1"):
        stream.parts([0, -1])


def test_parts_that_do_not_fit_into_memory():
    wide = np.ones((4096, 512))
    with pytest.raises(
        ValueError, match=r"two parts must fit into memory=16 MiB, but 4,096 rows take 16 MiB; set part_row"
    ):
        st.open_stream([(wide, wide[:, 0])], memory="16 MiB")
    advised = st.open_stream([(wide, wide[:, 0])], memory="16 MiB", part_rows=1024)
    assert advised.sizes == (1024,) * 4
    with pytest.raises(ValueError, match=r"memory must be at least .* even with part_rows=1, got 1 MiB"):
        st.open_stream([(np.ones((2, 200_000)), np.ones(2))], memory="1 MiB")


def test_an_order_that_goes_back_in_what_can_only_be_read_in_order(tmp_path):
    FRAME.to_csv(tmp_path / "t.csv.gz", index=False)
    stream = st.open_stream(tmp_path / "t.csv.gz", target="y", part_rows=4)
    with pytest.raises(
        ValueError, match=r"order must ascend, since .*t.csv.gz can be read from its beginning only; open_s"
    ):
        stream.parts([1, 0])
    assert stream.read(2).X.tolist() == FRAME[["a", "b", "c", "s"]].to_numpy()[8:].tolist()
    assert stream.read(0).index == 0


def rewritten(path):
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(1, 1))


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def replaced(path):
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, path)


@pytest.mark.parametrize("kind", ["parquet", "csv", "npy", "svm"])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (rewritten, OSError, "{} changed while the stream was in use: it was written again; open the stream again"),
        (replaced, OSError, "{} changed while the stream was in use: it was written again; open the stream again"),
        (cut, OSError, r"{} changed while the stream was in use: it had \d[\d,]* bytes and has \d[\d,]*; open"),
        (lambda path: path.unlink(), FileNotFoundError, "{} vanished while the stream was in use"),
    ],
)
@pytest.mark.parametrize("is_open", [True, False])
def test_a_file_that_changes(kind, change, error, message, is_open, tmp_path):
    """Before the first part is read or after it, when the file is open."""
    if kind == "npy":
        source = npy(tmp_path, X=np.tile(X, (2000, 1)), y=np.tile(Y, 2000))
        path, arguments = source[0], {}
    elif kind == "svm":
        source = path = tmp_path / "t.svm"
        path.write_text("1 1:2 3:4\n0 2:1\n" * 50_000)
        arguments = {}
    else:
        source = path = saved(tmp_path, pd.concat([FRAME] * 4000), kind)
        arguments = {"target": "y"}
    stream = st.open_stream(source, part_rows=5000, memory="64 MiB", **arguments)
    if is_open:
        stream.read(0)
    change(path)
    with pytest.raises(error, match=message.format(f".*{path.name}")):
        stream.read(len(stream.sizes) - 1)
    with pytest.raises(error, match=message.format(f".*{path.name}")):
        list(stream.parts())
    assert [thread for thread in threading.enumerate() if thread.name == "steepest-stream"] == []
