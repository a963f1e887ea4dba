"""What workers share: the processors, and the build of the emulated device."""

from __future__ import annotations

import threading
import time

import pytest

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
