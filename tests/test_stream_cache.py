"""The cache of a stream gives the parts of its source, and is never used for another source or when it is damaged."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

import steepest as st
from steepest.arrays.sparse import CSRView
from steepest.objectives.parts import parts_of
from steepest.objectives.questions import AskFacts
from steepest.parts import facts
from steepest.streams import cache_file

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)
FRAME = pd.DataFrame(X, columns=list("abcde")).assign(y=np.where(Y > 0, "up", "down"), s=np.float32(2) + Y)


def arrays_of(part):
    X = [part.X.data, part.X.indices, part.X.indptr] if isinstance(part.X, CSRView) else [part.X]
    return [*X, part.y, *([] if part.weight is None else [part.weight])]


def bits(stream):
    """All bits of all parts."""
    return [[(array.dtype, array.shape, array.tobytes()) for array in arrays_of(part)] for part in stream.parts()]


def source_of(kind, folder):
    """A source, and the arguments with which it is opened."""
    if kind == "parquet":
        FRAME.to_parquet(folder / "t.parquet", row_group_size=70)
        return folder / "t.parquet", {"target": "y", "weight": "s"}
    if kind == "csv.gz":
        FRAME.to_csv(folder / "t.csv.gz", index=False)
        return folder / "t.csv.gz", {"target": "y", "weight": "s"}
    if kind == "npy":
        np.save(folder / "X.npy", X)
        np.save(folder / "y.npy", Y)
        return (folder / "X.npy", folder / "y.npy"), {}
    S = sparse.csr_array(np.where(X > 0.5, X, 0))
    if kind == "svmlight":
        dump_svmlight_file(S, Y, str(folder / "t.svmlight"))
        return folder / "t.svmlight", {}
    return [(S[:120], FRAME.y[:120].to_numpy(object)), (S[120:], FRAME.y[120:].to_numpy(object))], {}


KINDS = ["parquet", "csv.gz", "npy", "svmlight", "blocks"]
FACTS = ("n_samples", "n_features", "n_elements", "sizes", "dtype", "storage", "is_sparse", "has_weights", "weight_sum")
FACTS = (*FACTS, "least_weight", "feature_names")


@pytest.fixture
def passes(monkeypatch):
    """The names of the sources that a pass read while a cache was written."""
    found = []
    inner = cache_file.CacheWriter.finish

    def counted(self, *arguments, **options):
        found.append(self)
        return inner(self, *arguments, **options)

    monkeypatch.setattr(cache_file.CacheWriter, "finish", counted)
    return found


def caches(folder):
    return sorted(folder.glob(f"*{cache_file.SUFFIX}"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_gives_the_same_stream(kind, tmp_path, passes):
    source, arguments = source_of(kind, tmp_path)
    arguments["part_rows"] = 64
    plain = st.open_stream(source, **arguments)
    wanted = bits(plain)
    for opened in range(1, 3):
        stream = st.open_stream(source, **arguments, cache=tmp_path / "cache")
        assert [getattr(stream, name) for name in FACTS] == [getattr(plain, name) for name in FACTS]
        assert (stream.classes is None) == (plain.classes is None)
        assert plain.classes is None or stream.classes.tolist() == plain.classes.tolist() == ["down", "up"]
        assert bits(stream) == wanted
        assert bits(stream) == wanted
        assert [part.index for part in stream.parts([3, 1, 2])] == [3, 1, 2]
        assert arrays_of(stream.read(2))[0].tobytes() == wanted[2][0][2]
        assert len(passes) == (opened if kind == "blocks" else 1)
    assert len(caches(tmp_path / "cache")) == (kind != "blocks")
    assert [path.name for path in (tmp_path / "cache").iterdir() if path not in caches(tmp_path / "cache")] == []


def test_another_source_or_other_settings_get_a_cache_of_their_own(tmp_path, passes):
    source, arguments = source_of("parquet", tmp_path)
    folder = tmp_path / "cache"

    def opened(**changes):
        return st.open_stream(source, **{**arguments, "part_rows": 64, "cache": folder, **changes})

    opened()
    for changes in ({"part_rows": 50}, {"dtype": np.float64}, {"weight": None}):
        before = len(passes)
        stream = opened(**changes)
        assert len(passes) == before + 1
        assert bits(stream) == bits(opened(**changes, cache=None))
    opened(memory="200 MB")  # which does not change the parts
    assert len(passes) == 4
    assert len(caches(folder)) == 4


def test_a_changed_file_is_cached_anew(tmp_path, passes):
    source, arguments = source_of("parquet", tmp_path)
    before = st.open_stream(source, **arguments, cache=tmp_path / "cache")
    kept = bits(before)
    FRAME.assign(a=FRAME.a + 1).to_parquet(source, row_group_size=70)
    os.utime(source, ns=(10**18, 10**18))
    after = st.open_stream(source, **arguments, cache=tmp_path / "cache")
    assert len(passes) == 2
    assert len(caches(tmp_path / "cache")) == 1
    assert (after.read(0).X[:, 0] == X[:, 0] + np.float32(1)).all()
    assert bits(before) == kept  # from the cache of which it holds the file


def test_a_cache_of_another_version_is_written_again(tmp_path, passes, monkeypatch):
    source, _ = source_of("npy", tmp_path)
    st.open_stream(source, cache=tmp_path / "cache")
    monkeypatch.setattr(cache_file, "VERSION", cache_file.VERSION + 1)
    stream = st.open_stream(source, cache=tmp_path / "cache")
    assert (len(passes), bits(stream)) == (2, bits(st.open_stream(source)))


@pytest.mark.parametrize("kind", ["parquet", "svmlight"])
def test_every_damaged_byte_is_detected(kind, tmp_path):
    """Bytes of the head and the table, and others at random. The next test shows that a checksum covers each byte."""
    source, arguments = source_of(kind, tmp_path)
    arguments |= {"part_rows": 64, "cache": tmp_path / "cache"}
    wanted = bits(st.open_stream(source, **arguments))
    (path,) = caches(tmp_path / "cache")
    content = path.read_bytes()
    edges = [0, 15, 16, 20, 40, 4095, 4096, len(content) - 1]
    rng = np.random.default_rng(1)
    for place in {*edges, *(int(at) for at in rng.integers(0, len(content), 40))}:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.warns(RuntimeWarning, match=r"is damaged \(.*\); it is written again from .*t\."):
            assert bits(st.open_stream(source, **arguments)) == wanted
        assert path.read_bytes() == content


def test_all_bytes_are_under_a_checksum(tmp_path):
    """Head, arrays with the zeros that follow them, and table leave no byte out."""
    source, arguments = source_of("parquet", tmp_path)
    st.open_stream(source, **arguments, part_rows=64, cache=tmp_path / "cache")
    (path,) = caches(tmp_path / "cache")
    content = path.read_bytes()
    mark, version, offset, length, checksum = struct.unpack_from("<16sIQQI", content)
    assert (mark, version, offset + length) == (b"steepest parts\r\n", 1, len(content))
    assert zlib.crc32(content[offset:]) == checksum
    assert zlib.crc32(content[:4092]) == int.from_bytes(content[4092:4096], "little")
    end = 4096
    for regions in json.loads(content[offset:])["parts"]:
        for first, n_bytes, padded, of_array in regions:
            assert (first, n_bytes <= padded, padded % 4096) == (end, True, 0)
            assert zlib.crc32(content[first : first + padded]) == of_array
            end = first + padded
    assert end == offset


@pytest.mark.parametrize("length", [0, 100, 4096, 9000, -1])
def test_a_truncated_cache_is_detected(length, tmp_path):
    source, arguments = source_of("parquet", tmp_path)
    arguments |= {"part_rows": 64, "cache": tmp_path / "cache"}
    wanted = bits(st.open_stream(source, **arguments))
    (path,) = caches(tmp_path / "cache")
    os.truncate(path, length % path.stat().st_size)
    with pytest.warns(RuntimeWarning, match="is damaged"):
        assert bits(st.open_stream(source, **arguments)) == wanted


def test_a_cache_that_is_damaged_while_it_is_open(tmp_path):
    """Parts that were compared before are compared again once the file was written to."""
    source, arguments = source_of("parquet", tmp_path)
    stream = st.open_stream(source, **arguments, part_rows=64, cache=tmp_path / "cache")
    wanted = bits(stream)
    (path,) = caches(tmp_path / "cache")
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff\x00\xff")
    os.utime(path, ns=(10**18, 10**18))
    with pytest.warns(RuntimeWarning, match=r"is damaged \(part 0\)"):
        assert stream.read(0).X.tobytes() == wanted[0][0][2]
    assert bits(stream) == wanted
    os.truncate(path, 6000)
    with pytest.warns(RuntimeWarning, match=r"is damaged \(it ends too soon\)"):
        assert bits(stream) == wanted


def test_a_damaged_cache_of_a_source_that_changed_is_an_error(tmp_path):
    source, arguments = source_of("parquet", tmp_path)
    stream = st.open_stream(source, **arguments, part_rows=64, cache=tmp_path / "cache")
    (path,) = caches(tmp_path / "cache")
    os.truncate(path, 6000)
    os.utime(source, ns=(10**18, 10**18))
    with pytest.warns(RuntimeWarning, match="is damaged"), pytest.raises(OSError, match=r"t.parquet changed while the"):
        stream.read(3)


def test_reads_past_the_page_cache_give_the_same(tmp_path, monkeypatch):
    wide = RNG.standard_normal((3000, 300))
    monkeypatch.setattr(cache_file, "_memory_of_machine", lambda: 0.0)
    stream = st.open_stream([(wide, wide[:, 0])], part_rows=999, cache=tmp_path / "cache")
    assert np.concatenate([part.X for part in stream.parts()]).tobytes() == wide.tobytes()
    kept = list(stream.parts())
    assert np.concatenate([part.X for part in stream.parts()]).tobytes() == wide.tobytes()
    assert np.concatenate([part.X for part in kept]).tobytes() == wide.tobytes()


def test_a_pass_that_fails_leaves_nothing_behind(tmp_path):
    blocks = [(X, Y), (np.where(X > 2, np.nan, X), Y)]
    with pytest.raises(ValueError, match="must be finite"):
        st.open_stream(blocks, part_rows=64, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_files_of_dead_processes_are_removed_and_those_of_others_are_not(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / f"dead{cache_file.TEMPORARY}").write_bytes(b"x")
    writer = cache_file.CacheWriter(folder / f"mine{cache_file.SUFFIX}")
    code = f"import steepest as st, numpy as np; st.open_stream([(np.ones((2, 2)), np.ones(2))], cache={str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [re.sub("-.*", "", path.stem) for path in folder.iterdir()] == ["mine"]
    writer.abandon()
    assert list(folder.iterdir()) == []


def test_processes_that_open_at_the_same_time(tmp_path):
    source, arguments = source_of("parquet", tmp_path)
    code = (
        "import hashlib, steepest as st\n"
        f"source, cache = {str(source)!r}, {str(tmp_path / 'c')!r}\n"
        "stream = st.open_stream(source, target='y', weight='s', part_rows=7, cache=cache)\n"
        "digest = hashlib.sha256()\n"
        "for part in stream.parts():\n"
        "    digest.update(part.X.tobytes() + part.y.tobytes() + part.weight.tobytes())\n"
        "print(digest.hexdigest())\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    said = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0] * 4
    assert len(said) == 1
    assert len(list((tmp_path / "c").iterdir())) == 1
    assert len(bits(st.open_stream(source, **arguments, part_rows=7, cache=tmp_path / "c"))) == 29


def test_threads_that_find_the_damage_at_the_same_time_write_once(tmp_path, passes):
    source, _ = source_of("npy", tmp_path)
    stream = st.open_stream(source, part_rows=20, cache=tmp_path / "cache")
    wanted = bits(stream)
    os.truncate(caches(tmp_path / "cache")[0], 5000)
    with pytest.warns(RuntimeWarning, match="is damaged"), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: bits(stream), range(4)))
    assert found == [wanted] * 4
    assert len(passes) == 2


@pytest.mark.parametrize("kind", ["parquet", "csv.gz", "npy", "svmlight"])
def test_an_opened_cache_knows_the_facts_without_a_pass(kind, tmp_path):
    source, arguments = source_of(kind, tmp_path)
    arguments |= {"part_rows": 64, "cache": tmp_path / "cache"}
    first, read = st.open_stream(source, **arguments), []
    again = st.open_stream(source, **arguments, progress=read.append)
    assert (
        parts_of(again).known.record()
        == first.parts_facts.record()
        == parts_of(again).engine.reduce(AskFacts()).record()
    )
    st.Logistic(again)
    assert read == [64, 64, 64, 8]  # of AskFacts alone


def test_facts_of_another_version_are_asked_for(tmp_path, monkeypatch):
    source, arguments = source_of("parquet", tmp_path)
    arguments |= {"part_rows": 64, "cache": tmp_path / "cache"}
    expected = st.open_stream(source, **arguments).parts_facts.record()
    monkeypatch.setattr(facts, "_VERSION", facts._VERSION + 1)
    again = st.open_stream(source, **arguments)
    assert again.parts_facts is None
    assert parts_of(again).known.record() == {**expected, "version": expected["version"] + 1}
