"""benchmarks/processes.py: a contender's process runs only while it is asked, and its end is told."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from interpreter import python

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LEAVES = """
import sys
sys.path[:0] = sys.argv[1:]
import processes, test_benchmarks_processes
print(processes.start(test_benchmarks_processes.Counter, 1, together=False).ask("process"), flush=True)
"""


class Counter:
    """Counts calls, and the beats of a thread that never rests."""

    def __init__(self, first: int) -> None:
        if first < 0:
            raise ValueError(f"first must not be negative, got {first}\nand more")
        self.calls, self.beats = first, 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(0.001)
            self.beats += 1

    def call(self) -> int:
        self.calls += 1
        return self.calls

    def beat(self, seconds: float = 0.0) -> int:
        time.sleep(seconds)
        return self.beats

    def process(self) -> int:
        return os.getpid()

    def refuse(self) -> None:
        raise KeyError("nothing")

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def be_wrong(self) -> None:
        importlib.import_module("harness").check("label", 1.0, 2.0, 0.1)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("processes")


@pytest.mark.parametrize("together", [True, False])
def test_an_object_keeps_its_state_between_calls(processes: Any, together: bool) -> None:
    with processes.start(Counter, 3, together=together) as host:
        assert [host.ask("call"), host.ask("call")] == [4, 5]
        assert (host.ask("process") == os.getpid()) is together


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_a_process_that_is_not_asked_stands_still(processes: Any) -> None:
    with processes.start(Counter, 0, together=False) as host:
        before = host.ask("beat")
        time.sleep(0.3)
        assert host.ask("beat") - before < 50  # of some 300 beats
        assert host.ask("beat", 0.3) - before > 50


@pytest.mark.parametrize(
    ("method", "kind", "reason"),
    [
        ("refuse", "Failed", "KeyError: 'nothing'"),
        ("be_wrong", "WrongAnswer", "label: relative error 5.00e-01, allowed 1e-01"),
    ],
)
def test_an_error_is_told_and_the_process_goes_on(processes: Any, method: str, kind: str, reason: str) -> None:
    with processes.start(Counter, 0, together=False) as host:
        with pytest.raises((processes.Failed, processes.harness.WrongAnswer)) as caught:
            host.ask(method)
        assert (type(caught.value).__name__, str(caught.value)) == (kind, reason)
        assert host.ask("call") == 1


def test_what_cannot_be_made_is_told(processes: Any) -> None:
    with pytest.raises(processes.Failed, match=r"ValueError: first must not be negative, got -1$"):
        processes.start(Counter, -1, together=False)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
def test_the_death_of_a_process_is_told(processes: Any) -> None:
    with processes.start(Counter, 0, together=False) as host:
        for _ in range(2):
            with pytest.raises(processes.Failed, match="its process died: SIGKILL"):
                host.ask("die")


def test_a_call_is_cut_short(processes: Any) -> None:
    start = time.perf_counter()
    with processes.start(Counter, 0, together=False) as host, pytest.raises(processes.Failed, match=r"over 0\.2 s"):
        host.ask("beat", 60.0, limit=0.2)
    assert time.perf_counter() - start < 30


def test_a_stopped_process_ends_with_its_parent(processes: Any) -> None:
    done = python(LEAVES, BENCHMARKS, Path(__file__).parent, timeout=60)
    assert done.returncode == 0, done.stderr
    process = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {process} is still there")


def test_the_option_is_off_unless_given(processes: Any) -> None:
    parser = argparse.ArgumentParser()
    processes.add_option(parser)
    assert [parser.parse_args(given).together for given in ([], ["--together"])] == [False, True]
