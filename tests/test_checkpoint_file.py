"""The file of a checkpoint: its bytes, its damage, its generations, and faults of the disk at every call."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import warnings

import numpy as np
import pytest

import steepest as st
from checkpoints import BrokenOffError, assert_same_bits, assert_same_result, broken_off
from steepest.checkpoint import file as module
from steepest.checkpoint.file import CheckpointFile
from steepest.checkpoint.format import VERSION, Contents, DamagedError, bytes_of, contents_of

STATE = {
    "whole": 2**64 - 1,
    "number": 0.1,
    "nan": float("nan"),
    "far": float("inf"),
    "text": "Gauß",
    "nothing": None,
    "true": True,
    "table": np.arange(6.0).reshape(2, 3),
    "half": np.array([1.5], np.float32),
    "columns": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    "none": np.empty((0, 4)),
    "point": np.array(3, np.uint32),
    "flags": np.array([True, False]),
}


def encoded(state=STATE, fits=None):
    return bytearray(b"".join(bytes_of(Contents({"X": "digest"} if fits is None else fits, state))))


def test_everything_comes_back():
    found = contents_of(encoded())
    assert found.fits == {"X": "digest"}
    assert list(found.state) == [*(name for name in STATE if not isinstance(STATE[name], np.ndarray)),
                                 *(name for name in STATE if isinstance(STATE[name], np.ndarray))]  # fmt: skip
    for name, value in STATE.items():
        if isinstance(value, np.ndarray):
            assert_same_bits(found.state[name], value)
            assert found.state[name].flags.writeable
        else:
            assert type(found.state[name]) is type(value)
            assert repr(found.state[name]) == repr(value)


def test_the_bytes_are_those_of_the_table():
    """By hand from the description of the format, with nothing of its code."""
    data = encoded()
    assert data[:16] == b"steepest run\n\0\r\n"
    version, length = struct.unpack("<QQ", data[16:32])
    assert version == 1
    header = json.loads(data[32 : 32 + length].decode())
    assert header["size"] == len(data)
    dtype, shape, place = header["arrays"]["table"]
    assert (dtype, shape, place % 64) == ("<f8", [2, 3], 0)
    assert struct.unpack("<6d", data[place : place + 48]) == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert data[-32:] == hashlib.sha256(data[:-32]).digest()


def test_arrays_of_objects_are_refused():
    with pytest.raises(TypeError, match="arrays of numbers, got object for bad"):
        encoded({"bad": np.array([None])})


def test_every_cut_and_every_flipped_bit_is_damage():
    """None of them is read as something else, and none but a change of the first bytes is taken for another file."""
    data = encoded({"w": np.arange(40.0)})
    for end in (*range(13), *range(16, len(data), 7), len(data) - 1):
        if 0 < end < 13:
            continue  # the beginning of a header, which some other text may have
        with pytest.raises(DamagedError):
            contents_of(data[:end])
    for at in range(24, len(data), 3):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        with pytest.raises(DamagedError, match="checksum"):
            contents_of(changed)


def objective(alpha=0.01, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((50, 3))
    return st.LeastSquares(X, X @ np.ones(3) + rng.standard_normal(50), alpha=alpha)


def fit(path=None, epochs=20, callbacks=(), alpha=0.01, **options):
    where = {} if path is None else {"checkpoint": path, "checkpoint_seconds": 0}
    options = {"optimizer": st.Adam(0.05), "batch_size": 8, "random_state": 1, **options}
    return st.minimize(objective(alpha), max_epochs=epochs, callbacks=callbacks, **options, **where)


@pytest.fixture
def half_way(tmp_path):
    """The path of a checkpoint with one generation before, of a run that was broken off."""
    path = tmp_path / "run.steepest"
    with pytest.raises(BrokenOffError):
        fit(path, callbacks=broken_off(9))
    assert sorted(os.listdir(tmp_path)) == ["run.steepest", "run.steepest.previous"]
    return path


def files(folder):
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}


def test_the_generation_before_is_kept(half_way):
    newest, before = (
        contents_of(bytearray(path.read_bytes())).state["n_epochs"]
        for path in (half_way, half_way.with_name("run.steepest.previous"))
    )
    assert (newest, before) == (8, 7)


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "flipped", "gone"])
def test_a_torn_newest_file_gives_way_to_the_one_before(damage, half_way):
    data = bytearray(half_way.read_bytes())
    if damage == "gone":
        half_way.unlink()
    else:
        flipped = bytearray(data)
        flipped[len(data) // 2] ^= 4
        torn = {"cut": data[:-100], "empty": b"", "zeros": bytes(len(data)), "flipped": flipped}
        half_way.write_bytes(torn[damage])
    with pytest.warns(st.CheckpointWarning, match=r"run.steepest' is (damaged|missing).*goes on from the one before"):
        found = fit(half_way)
    assert_same_result(found, fit())
    assert_same_result(fit(half_way), fit())  # without a warning


def test_damage_of_both_is_an_error_that_changes_nothing(half_way):
    for path in (half_way, half_way.with_name("run.steepest.previous")):
        path.write_bytes(path.read_bytes()[:-1])
    before = files(half_way.parent)
    with pytest.raises(ValueError, match=r"run.steepest' is damaged: it must have the checksum.*previous.*Remove both"):
        fit(half_way)
    assert files(half_way.parent) == before


def test_damage_of_the_only_one_is_an_error_that_changes_nothing(half_way):
    half_way.with_name("run.steepest.previous").unlink()
    half_way.write_bytes(half_way.read_bytes()[:-1])
    before = files(half_way.parent)
    with pytest.raises(ValueError, match=r"is damaged.*no earlier one. Remove the file to start again"):
        fit(half_way)
    assert files(half_way.parent) == before


def test_a_file_of_another_kind_is_an_error_that_changes_nothing(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n1,2\n")
    with pytest.raises(ValueError, match=r"data.csv' must be a checkpoint, which begins with b'steepest run', got b'x"):
        fit(path)
    assert files(tmp_path) == {"data.csv": b"x,y\n1,2\n"}


def test_a_newer_version_is_an_error_that_changes_nothing(half_way):
    data = bytearray(half_way.read_bytes())
    data[16:24] = (VERSION + 1).to_bytes(8, "little")
    half_way.write_bytes(data)
    before = files(half_way.parent)
    with pytest.raises(ValueError, match=rf"run.steepest' must have format {VERSION} or older, got {VERSION + 1}"):
        fit(half_way)
    assert files(half_way.parent) == before


@pytest.mark.parametrize("path", [3, b"bytes", "", None.__class__])
def test_a_path_of_another_type_is_an_error(path):
    with pytest.raises(TypeError, match="checkpoint must be the path of a file"):
        fit(path)


def test_a_folder_and_a_missing_folder_are_errors(tmp_path):
    with pytest.raises(ValueError, match="checkpoint must be the path of a file, got the folder"):
        fit(tmp_path)
    with pytest.raises(ValueError, match="checkpoint must be in a folder that exists"):
        fit(tmp_path / "missing" / "run.steepest")


def test_what_another_run_wrote_is_not_overwritten(half_way):
    """Two runs at once, of which one has read the file before the other one wrote it."""
    mine = CheckpointFile(half_way)
    mine.load()
    fit(half_way)
    before = files(half_way.parent)
    with pytest.raises(ValueError, match="must change by this run alone, got a file that another one has written"):
        mine.save(Contents({}, {}))
    assert files(half_way.parent) == before


class CrashError(BaseException):
    """What stands for the end of the process."""


CALLS = ("open", "write", "fsync", "close", "unlink", "link", "replace")


class FaultyOS:
    """The `os` of the file layer, of which one call fails: before it does anything, after it, or in its middle."""

    def __init__(self, fails_at, when, error):
        self.fails_at, self.when, self.error, self.calls = fails_at, when, error, []

    def __getattr__(self, name):
        own = getattr(os, name)
        return self._counted(name, own) if name in CALLS else own

    def _counted(self, name, own):
        def call(*arguments):
            number = len(self.calls)
            self.calls.append(name)
            if number != self.fails_at:
                return own(*arguments)
            if self.when == "after":
                with contextlib.suppress(FileNotFoundError):
                    own(*arguments)
            if self.when == "half" and name == "write":
                own(arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise self.error

        return call


def no_link(*_):
    raise OSError("no hard links here")


def calls_of_two_saves(tmp_path, monkeypatch, **own):
    faulty = FaultyOS(-1, "", None)
    vars(faulty).update(own)
    monkeypatch.setattr(module, "os", faulty)
    fit(tmp_path / "count.steepest", epochs=1)
    monkeypatch.undo()
    return faulty.calls


def test_what_is_written_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    """The order of SQLite and of other databases: file, its name, folder."""
    written, named = ["open", "write", "fsync", "close"], ["replace", "open", "fsync", "close"]
    calls = calls_of_two_saves(tmp_path, monkeypatch)
    assert calls == [*written, *named, *written, "unlink", "link", *named]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "run", tmp_path / "there" / "target"
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links here")
    fit(link, epochs=2)
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path / "there")) == ["target", "target.previous"]
    assert_same_result(fit(link, epochs=4), fit(epochs=4))


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_crash_at_every_call_leaves_a_checkpoint_to_go_on_from(when, tmp_path, monkeypatch):
    """The process ends at each call of the file layer in turn, and is started again."""
    calls = calls_of_two_saves(tmp_path, monkeypatch)
    assert {"write", "fsync", "link", "replace"} <= set(calls)
    expected = fit(epochs=4)
    for number in range(len(calls) + 8):
        path = tmp_path / f"{number}.steepest"
        monkeypatch.setattr(module, "os", FaultyOS(number, when, CrashError))
        with pytest.raises(CrashError):
            fit(path, epochs=4)
        monkeypatch.undo()
        assert_same_result(fit(path, epochs=4), expected)


def test_a_crash_where_there_are_no_hard_links(tmp_path, monkeypatch):
    """Then there is an instant without a newest file, and the run goes on from the one before."""
    calls = calls_of_two_saves(tmp_path, monkeypatch, link=no_link)
    expected, seen = fit(epochs=4), 0
    for number in range(len(calls)):
        path = tmp_path / f"{number}.steepest"
        faulty = FaultyOS(number, "after", CrashError)
        faulty.link = no_link
        monkeypatch.setattr(module, "os", faulty)
        with pytest.raises(CrashError):
            fit(path, epochs=4)
        monkeypatch.undo()
        between = not path.exists() and path.with_name(path.name + ".previous").exists()
        seen += between
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = fit(path, epochs=4)
        assert [each.category for each in caught] == [st.CheckpointWarning] * between
        assert_same_result(found, expected)
    assert seen


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_failing_disk_warns_and_the_run_goes_on(when, tmp_path, monkeypatch):
    calls = calls_of_two_saves(tmp_path, monkeypatch)
    expected = fit(epochs=4)
    for number in range(len(calls)):
        path = tmp_path / f"{number}.steepest"
        monkeypatch.setattr(module, "os", FaultyOS(number, when, OSError("the disk is full")))
        if calls[number] == "link":  # then the file is renamed
            found = fit(path, epochs=4)
        else:
            with pytest.warns(st.CheckpointWarning, match=r"could not be written: the disk is full. The run goes on"):
                found = fit(path, epochs=4)
        monkeypatch.undo()
        assert_same_result(found, expected)
        assert_same_result(fit(path, epochs=4), expected)
        assert not path.with_name(path.name + ".new").exists()
