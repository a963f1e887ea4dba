"""Passes that read rows where they lie in a file have the bits of passes over arrays, and see that a file changed."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pandas as pd
import pytest

import steepest as st
from steepest import _core
from steepest.objectives.file_data import FileData
from steepest.objectives.parts import Parts
from steepest.objectives.prepared import HeldOut, LabelNumbers, prepared
from steepest.streams import cache_file, npy
from steepest.streams.section import FileRows

N, D, PART = 60_000, 40, 22_000  # parts of some chunks each, and one of another size
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, D))
Z = X @ np.linspace(-0.5, 0.5, D) + RNG.standard_normal(N)
WEIGHT = RNG.uniform(0.0, 2.0, N)
OPTIONS = {
    "plain": {},
    "standardised": {"centre": np.linspace(-1, 1, D), "scale": np.linspace(0.5, 2.0, D)},
    "in blocks": {"centre": np.full(D, 1e6), "scale": np.ones(D)},
}
MEMORY = "20 MiB"  # less than twice the rows


def targets(loss):
    return {"Logistic": Z > 0, "Softmax": np.digitize(Z, [-1, 1]), "Poisson": np.clip(np.round(Z), 0, 5)}.get(loss, Z)


def saved(folder, loss="Logistic", dtype="float32", order="C", weighted=True):
    """The paths of X, y and perhaps weights, and the arrays as parts."""
    arithmetic = "float32" if dtype == "float16" else dtype
    arrays = {"X": np.asarray(X.astype(dtype), order=order), "y": targets(loss).astype(arithmetic)}
    arrays |= {"s": WEIGHT.astype(arithmetic)} if weighted else {}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    held, *rest = arrays.values()
    cuts = [slice(a, min(a + PART, N)) for a in range(0, N, PART)]
    parts = Parts.of([(np.ascontiguousarray(held[cut]), *(each[cut] for each in rest)) for cut in cuts])
    return tuple(folder / f"{name}.npy" for name in arrays), parts


def bits(objective):
    """Of all that passes give."""
    w, v = np.random.default_rng(1).normal(size=(2, objective.n_parameters)).astype(objective.dtype) * 0.1
    value, gradient = objective.value_and_gradient(w)
    return value, gradient.tobytes(), objective.value(w), objective.hessian_product(w, v).tobytes()


@pytest.fixture
def in_place(monkeypatch):
    """The rows that passes read in files."""
    found = []
    inner = _core.file_source

    def counted(file, *arguments):
        found.append(arguments)
        return inner(file, *arguments)

    monkeypatch.setattr(_core, "file_source", counted)
    return found


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("loss", ["Logistic", "LeastSquares", "Softmax"])
def test_the_bits_are_those_of_arrays(loss, dtype, options, in_place, tmp_path):
    paths, parts = saved(tmp_path, loss, dtype)
    memory = MEMORY if dtype != "float16" else "9 MiB"
    stream = st.open_stream(paths, part_rows=PART, memory=memory)
    kind = getattr(st, loss)
    expected = bits(kind(parts, alpha=0.01, **options))
    for threads in (1, 2, 3):
        with st.threads(threads):
            assert bits(kind(stream, alpha=0.01, **options)) == expected
    assert len(in_place) >= 9


@pytest.mark.parametrize("weighted", [False, True])
def test_the_bits_of_a_cache_are_those_of_arrays(weighted, in_place, tmp_path):
    """The first pass over a cache compares its checksums, for which it reads the parts as arrays."""
    paths, parts = saved(tmp_path, weighted=weighted)
    stream = st.open_stream(paths, part_rows=PART, memory=MEMORY, cache=tmp_path / "cache")
    expected = bits(st.Logistic(parts))
    assert bits(st.Logistic(stream)) == expected
    assert len(in_place) > 0
    assert bits(st.Logistic(stream)) == expected


@pytest.mark.parametrize("model", [st.LinearRegressor(), st.LogisticClassifier(class_weight="balanced")], ids=repr)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_fits_have_the_bits_of_arrays(model, early_stopping, in_place, tmp_path):
    paths, parts = saved(tmp_path, "Logistic" if hasattr(model, "class_weight") else "LeastSquares")
    model.set_params(early_stopping=early_stopping, random_state=0, optimizer="quasi-newton", max_iter=8)
    stream = st.open_stream(paths, part_rows=PART, memory=MEMORY)
    found = [model.fit(each).coef_.copy() for each in (stream, parts)]
    assert found[0].tobytes() == found[1].tobytes()
    assert len(in_place) > 0


def test_changed_parts_stay_in_their_files(in_place, tmp_path):
    paths, parts = saved(tmp_path)
    stream = st.open_stream(paths, part_rows=PART, memory=MEMORY)
    from steepest.objectives.parts import parts_of

    both = [parts_of(stream), parts]
    for change in (
        LabelNumbers(np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.array([0.5, 2.0])),
        HeldOut(0.2, 0, False),
        HeldOut(0.2, 0, True),
    ):
        found, expected = (bits(st.Logistic(prepared(each, change))) for each in both)
        assert found == expected
    assert len(in_place) > 0


@pytest.mark.parametrize("case", ["columns", "dtype", "two files", "table", "text"])
def test_what_is_no_section_is_read_as_arrays(case, in_place, tmp_path):
    """F order, another dtype, a part of two files, and a table whose rows have the target among them."""
    paths, parts = saved(tmp_path, weighted=False, order="F" if case == "columns" else "C", dtype="float64")
    source, options = paths, {"part_rows": PART, "memory": "100 MiB" if case == "columns" else "38 MiB"}
    if case == "dtype":
        options["dtype"] = np.float32
        parts = Parts.of([(p.data.X.astype("f4"), p.data.targets.astype("f4")) for p in parts.engine._parts(range(3))])
    if case == "two files":
        pieces = [slice(0, 30_000), slice(30_000, N)]
        source = []
        for number, (piece, name) in enumerate(itertools.product(pieces, "Xy")):
            np.save(tmp_path / f"{number}.npy", np.load(tmp_path / f"{name}.npy")[piece])
        source = [(tmp_path / "0.npy", tmp_path / "1.npy"), (tmp_path / "2.npy", tmp_path / "3.npy")]
    if case == "table":
        np.save(tmp_path / "t.npy", np.column_stack([np.load(path) for path in paths]))
        source, options["target"] = tmp_path / "t.npy", -1
    if case == "text":
        np.save(tmp_path / "y.npy", np.where(targets("Logistic"), "yes", "no"))
    options["memory"] = {"columns": "38 MiB", "dtype": "20 MiB"}.get(case, "38 MiB")
    assert bits(st.Logistic(st.open_stream(source, **options))) == bits(st.Logistic(parts))
    assert (len(in_place) > 0) == (case in ("two files", "text"))


def damage(path, how):
    if how == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "gone":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.seek(200_000)
            file.write(b"\xff\x00\xff")
        os.utime(path, ns=(10**18, 10**18))


@pytest.fixture
def damaged(monkeypatch):
    """A function that lets a file be damaged in mid-pass: as the next native pass over a section begins."""

    def at_next(path, how):
        inner = FileData.source

        def source(self):
            monkeypatch.setattr(FileData, "source", inner)
            damage(path, how)
            return inner.fget(self)

        monkeypatch.setattr(FileData, "source", property(source))

    return at_next


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("cut", OSError, r"X\.npy changed while the stream was in use: it had \d+ bytes and has \d+; open"),
        ("gone", FileNotFoundError, r"X\.npy vanished while the stream was in use"),
        ("written", OSError, r"X\.npy changed while the stream was in use: it was written again"),
    ],
)
def test_a_file_that_changes_in_a_pass_is_an_error(how, error, message, damaged, tmp_path):
    paths, _ = saved(tmp_path)
    stream = st.open_stream(paths, part_rows=PART, memory=MEMORY)
    objective = st.Logistic(stream)
    w = np.zeros(D + 1, np.float32)
    objective.value(w)
    damaged(paths[0], how)
    with pytest.raises(error, match=message):
        objective.value(w)


@pytest.mark.parametrize("how", ["cut", "written"])
def test_a_cache_that_is_damaged_in_a_pass_is_mended(how, damaged, tmp_path):
    paths, parts = saved(tmp_path)
    stream = st.open_stream(paths, part_rows=PART, memory=MEMORY, cache=tmp_path / "cache")
    objective, expected = st.Logistic(stream), bits(st.Logistic(parts))
    assert bits(objective) == expected
    (path,) = (tmp_path / "cache").glob(f"*{cache_file.SUFFIX}")
    damaged(path, how)
    with pytest.warns(RuntimeWarning, match=r"is damaged \(.*\); it is written again from"):
        assert bits(objective) == expected
    assert bits(objective) == expected


def test_the_alarm_of_a_program_ends_a_pass(monkeypatch, tmp_path):
    """Handlers of SIGALRM often raise a TimeoutError, which is an OSError, and tells nothing of the file."""
    paths, _ = saved(tmp_path)
    objective = st.Logistic(st.open_stream(paths, part_rows=PART, memory=MEMORY))
    w, inner = np.zeros(D + 1, np.float32), FileData.source

    def source(self):
        monkeypatch.setattr(FileData, "source", inner)
        raise TimeoutError("alarm")

    monkeypatch.setattr(FileData, "source", property(source))
    with pytest.raises(TimeoutError, match="alarm"):
        objective.value(w)
    assert np.isfinite(objective.value(w))


def test_a_section_that_ends_too_soon_is_an_error(tmp_path):
    rows = np.arange(40.0).reshape(10, 4)
    rows.tofile(tmp_path / "rows")
    with (tmp_path / "rows").open("rb") as file:
        y, w = np.zeros(10), np.ones(5)

        def value(offset):
            source = _core.file_source(file, file.fileno(), offset, "rows", rows[:1], 10, y, None, 10.0)
            return _core.Objective64(source, "least_squares", True, 0.0, 0.0, 1, {}).value(w)

        assert value(0) == np.mean((rows.sum(axis=1) + 1) ** 2)
        with pytest.raises(OSError, match=r"^rows could not be read: it ended too soon$"):
            value(8)


@pytest.fixture
def parts_read(monkeypatch):
    found = []
    for name in ("part", "section"):
        inner = getattr(npy.NpyReader, name)

        def counted(self, index, inner=inner):
            found.append(index)
            return inner(self, index)

        monkeypatch.setattr(npy.NpyReader, name, counted)
    return found


def test_data_of_half_of_the_memory_stay_there(parts_read, in_place, tmp_path):
    paths, parts = saved(tmp_path)
    stream = st.open_stream(paths, part_rows=PART, memory="64 MiB")
    objective, expected = st.Logistic(stream), bits(st.Logistic(parts))
    assert bits(objective) == bits(objective) == expected
    assert parts_read == [0, 1, 2]
    assert in_place == []
    os.utime(paths[0], ns=(10**18, 10**18))
    with pytest.raises(OSError, match=r"X\.npy changed while the stream was in use: it was written again"):
        objective.value(np.zeros(D + 1, np.float32))


def test_a_section_says_how_large_it_is():
    rows = FileRows(None, 0, "rows", (3, 4), np.dtype(np.float64), lambda: None)
    assert (len(rows), rows.size) == (3, 12)


@pytest.mark.parametrize("kind", ["npy", "csv.gz"])
def test_kept_parts_come_in_any_order_and_to_several_at_once(kind, parts_read, tmp_path):
    """Part i is always the rows of part i: if some are asked for twice, backwards, or by two passes in turn."""
    rows, y = X[:700, :3], Z[:700]
    if kind == "npy":
        source, options = (tmp_path / "X.npy", tmp_path / "y.npy"), {}
        for path, array in zip(source, (rows, y), strict=True):
            np.save(path, array)
    else:
        source, options = tmp_path / "t.csv.gz", {"target": "y"}
        pd.DataFrame(rows).assign(y=y).to_csv(source, index=False)
    stream = st.open_stream(source, part_rows=100, **options)

    def check(part):
        assert part.X.tobytes() == rows[100 * part.index : 100 * part.index + 100].tobytes()
        return part.index

    assert [check(part) for part in stream.sections([5, 2, 2, 4, 5])] == [5, 2, 2, 4, 5]
    first, second = stream.sections(range(7)), stream.sections([6, 5, 3, 1, 0])
    found = [check(next(each)) for each in (first, second, first, second, second, first, first, second, second)]
    assert found == [0, 6, 1, 5, 3, 2, 3, 1, 0]
    assert [check(part) for part in first] == [4, 5, 6]
    assert len(stream._kept) == 7
