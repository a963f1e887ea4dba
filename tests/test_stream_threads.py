"""The threads that read streams ahead: they end with their iterators, and let a program end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings

import pytest

import steepest as st
from steepest.streams.delimited import in_arrow
from test_streams import KINDS, X, Y, blocks_of, make, whole

QUICK = ("blocks", "parquet", "csv.xz")


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "steepest-stream"]


def test_a_closed_iterator_ends_its_thread():
    stream = st.open_stream([(X, Y)], part_rows=10)
    parts = stream.parts()
    next(parts)
    assert len(threads()) == 1
    parts.close()
    assert threads() == []


@pytest.mark.parametrize("kind", [*QUICK, *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k not in QUICK)])
def test_a_program_ends_with_an_iterator_that_is_still_open(kind, tmp_path):
    """Neither as a global nor in a cycle does it keep Python from ending."""
    source, arguments = make(kind, tmp_path)
    if kind in ("blocks", "iterable"):
        source = "[(np.ones((90, 2)), np.ones(90))]"
    else:
        source = repr(tuple(map(str, source)) if isinstance(source, tuple) else str(source))
    code = (
        "import numpy as np, steepest as st\n"
        f"stream = st.open_stream({source}, part_rows=5, **{arguments!r})\n"
        "parts, others = stream.parts(), stream.parts()\n"
        "cycle = [others, next(parts), next(others)]\n"
        "cycle.append(cycle)\n"
        "print('done')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr, run.returncode) == ("done\n", "", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["csv", "npy", "parquet"])
def test_a_forked_child_reads_for_itself(kind, tmp_path):
    """Parent and child have the same open files. Neither moves the other on, and no iterator waits for ever."""
    source, arguments = make(kind, tmp_path)
    stream = st.open_stream(source, part_rows=50, **arguments)
    stream.read(1)
    parts = stream.parts()
    next(parts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        same = all((X[50 * i : 50 * i + 50] == stream.read(i).X).all() for i in (2, 3, 1))
        try:
            for _ in parts:
                pass
        except RuntimeError as error:
            same = same and "was the process forked?" in str(error)
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert all((X[50 * i : 50 * i + 50] == stream.read(i).X).all() for i in (2, 3, 9))
    assert [part.index for part in parts] == list(range(1, 10))


def test_an_error_ends_the_thread():
    blocks = blocks_of([100, 200, 300])
    stream = st.open_stream(blocks, part_rows=10)
    blocks[2] = (blocks[2][0] + 1.0, blocks[2][1])
    with pytest.raises(ValueError, match=r"source gave other rows in part 20 than in the first pass; all passes must"):
        whole(stream)
    assert threads() == []


def test_arrow_gets_no_memory_of_python(monkeypatch, tmp_path):
    """Its threads may give up their input when the interpreter ends, and would wait for the interpreter to do so."""
    arrow, given = pytest.importorskip("pyarrow"), []
    reader = arrow.BufferReader
    monkeypatch.setattr(arrow, "BufferReader", lambda source: given.append(source) or reader(source))
    source, arguments = make("csv", tmp_path)
    whole(st.open_stream(source, part_rows=50, **arguments))
    assert len(given) > 2
    assert all(isinstance(each, arrow.Buffer) for each in given)
    text = b"a,b\n" + b"1.5,2\n" * 40
    users = sys.getrefcount(text)
    buffer = in_arrow(text)
    assert sys.getrefcount(text) == users
    assert buffer.to_pybytes() == text
