"""What workers share: the processors, and the build of the emulated device."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import conftest
import emulation.build
from conftest import share_processors
from emulation.build import alone
from steepest import _core


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = _core.threads_setting()
    yield
    _core.set_threads(before)


@pytest.mark.parametrize(("workers", "offered", "share"), [(1, 4, 4), (2, 4, 2), (3, 4, 1), (8, 4, 1)])
def test_workers_share_the_threads(monkeypatch, workers, offered, share):
    monkeypatch.delenv("STEEPEST_NUM_THREADS", raising=False)
    _core.set_threads(offered)
    share_processors(workers)
    assert _core.threads_in_use() == share


def test_a_number_in_the_environment_holds(monkeypatch):
    monkeypatch.setenv("STEEPEST_NUM_THREADS", "3")
    _core.set_threads(3)
    share_processors(8)
    assert _core.threads_in_use() == 3


@pytest.mark.parametrize(("named", "built", "slow"), [("", False, True), ("", True, False), ("yes", False, False)])
@pytest.mark.parametrize("marked", [False, True])
def test_emulated_kernels_are_slow_to_test_where_they_are_to_be_built(monkeypatch, named, built, slow, marked):
    """A run of all tests leaves them out, and the user may name them. Other parameters may be arrays."""
    monkeypatch.setenv(conftest._NAMED, named)
    monkeypatch.setattr(conftest, "is_built", lambda: built)
    marks, params = [], {"device_module": "real" if marked else "emulated", "X": np.zeros(2)}
    item = SimpleNamespace(
        callspec=SimpleNamespace(params=params),
        add_marker=marks.append,
        get_closest_marker=lambda name: marked or None,
    )
    conftest.pytest_collection_modifyitems([item])
    assert bool(marks) is slow


def test_a_built_module_is_found(monkeypatch, tmp_path):
    monkeypatch.delenv("STEEPEST_EMULATED_DIR", raising=False)
    monkeypatch.setattr(emulation.build, "ROOT", tmp_path)
    assert not emulation.build.is_built()
    (tmp_path / "build" / "emulated" / "CMakeFiles" / "_cuda_emulated.dir").mkdir(parents=True)
    assert not emulation.build.is_built()
    (tmp_path / "build" / "emulated" / "_cuda_emulated.so").touch()
    assert emulation.build.is_built()
    monkeypatch.setattr(emulation.build, "ROOT", tmp_path / "other")
    monkeypatch.setenv("STEEPEST_EMULATED_DIR", str(tmp_path))
    assert emulation.build.is_built()


def test_builds_in_one_folder_wait_for_each_other(tmp_path):
    pytest.importorskip("fcntl")
    done = []

    def other():
        with alone(tmp_path / "build"):
            done.append("other")

    with alone(tmp_path / "build"):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.1)
        done.append("first")
    thread.join(10)
    assert done == ["first", "other"]
