"""Parts on the workers of a Dask cluster of processes: the same bits, whoever holds them and whoever dies."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

import numpy as np
import pytest

import dask_cases
import steepest as st
from dask_cases import (
    LOSSES,
    K,
    a_cluster,
    bits,
    expected,
    in_memory,
    objective_of,
    on_dask,
    pairs,
    rows,
)
from steepest.objectives.parts import Parts

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

from steepest.dask import parts  # noqa: E402

N, D, SIZES = dask_cases.N, dask_cases.D, dask_cases.SIZES


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", LOSSES)
def test_passes_have_the_bits_of_parts_in_memory(dask_client, loss, sparse):
    dtype = "float32" if loss in ("Huber", "Logistic") else "float64"
    given = rows(loss, dtype, sparse)
    data = parts(dask_client, *on_dask(*given, sparse=sparse))
    found, memory = objective_of(loss, data), objective_of(loss, in_memory(*given, sparse=sparse))
    w, v = np.random.default_rng(1).normal(size=(2, memory.n_parameters)).astype(dtype)
    shape = (K, -1) if loss == "Softmax" else (-1,)
    for ask in (
        lambda each: each.value_and_gradient(w.reshape(shape)),
        lambda each: [each.hessian_product(w.reshape(shape), v.reshape(shape))],
        lambda each: [each.hessian(w.reshape(shape))],
        lambda each: each.column_statistics(),
    ):
        for one, other in zip(ask(found), ask(memory), strict=True):
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    index = np.array([402, 0, 37, 37, 211, 5])
    np.testing.assert_array_equal(found.data.taken(index).X, memory.data.taken(index).X)
    data.engine.close()


@pytest.mark.parametrize("loss", LOSSES)
def test_quasi_newton_has_the_bits_of_parts_in_memory(dask_client, loss):
    data = parts(dask_client, *on_dask(*rows(loss)))
    assert bits(st.minimize(objective_of(loss, data))) == expected(loss)


def test_messages_may_go_through_the_scheduler(dask_cluster):
    """As from a client that cannot reach the workers."""
    with distributed.Client(dask_cluster, direct_to_workers=False) as client:
        data = parts(client, *on_dask(*rows("Logistic")))
        assert bits(st.minimize(objective_of("Logistic", data))) == expected()
        with pytest.raises(ValueError, match=r"^part 0 \(on the worker tcp://.*\): w must be"):
            data.engine.reduce(_Wrong(), np.zeros(3))


def test_long_vectors_arrive_whole(dask_client):
    X = np.random.default_rng(0).normal(size=(8, 150_000))
    y = np.arange(8.0) % 2
    data = parts(dask_client, da.from_array(X, chunks=(2, -1)), y)
    w = np.linspace(-1e-3, 1e-3, X.shape[1] + 1)
    found = st.Logistic(data).value_and_gradient(w)
    expected = st.Logistic(Parts.of([(X[i : i + 2], y[i : i + 2]) for i in range(0, 8, 2)])).value_and_gradient(w)
    assert found[0] == expected[0]
    assert found[1].tobytes() == expected[1].tobytes()


@pytest.mark.parametrize("optimizer", [st.GradientDescent(0.05), st.Adam(0.05)], ids=repr)
def test_mini_batches_have_the_bits_of_parts_in_memory(dask_client, optimizer):
    given = rows("Logistic")
    results = [
        st.minimize(objective_of("Logistic", data), None, optimizer, batch_size=64, max_epochs=2, random_state=0)
        for data in (parts(dask_client, *on_dask(*given)), in_memory(*given))
    ]
    assert bits(results[0]) == bits(results[1])


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 3, 4])
def test_the_bits_do_not_depend_on_the_number_of_workers(n):
    with a_cluster(n) as cluster, distributed.Client(cluster) as client:
        for loss in LOSSES:
            data = parts(client, *on_dask(*rows(loss)))
            assert bits(st.minimize(objective_of(loss, data))) == expected(loss)


def test_workers_hold_neighbours_where_x_was_and_drop_them(dask_client):
    def held(dask_worker):
        return sorted(part.index for part in dask_worker.extensions["steepest_parts"]._parts.values())

    X, y, _ = on_dask(*rows("Logistic"))
    data = parts(dask_client, X, y)
    found = sorted(dask_client.run(held).values())
    assert sorted(itertools.chain(*found)) == list(range(len(SIZES)))
    assert all(each == list(range(each[0], each[-1] + 1)) for each in found)
    data.engine.close()
    deadline = time.monotonic() + 10
    while any(dask_client.run(held).values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(RuntimeError, match="the engine is closed"):
        objective_of("Logistic", data)
    first, second = dask_client.scheduler_info()["workers"]
    blocks = [dask_client.persist(X.blocks[i], workers=[second if i == 1 else first]) for i in range(len(SIZES))]
    distributed.wait(blocks)
    data = parts(dask_client, da.concatenate(blocks).persist(), y)
    assert dask_client.run(held)[second] == [1]
    data.engine.close()


def test_all_kinds_of_collections_are_taken(dask_client):
    """Data frames, targets in this process, chunks of columns, other chunks of y, columns in F order."""
    X, y, weight = rows("Logistic")
    memory = bits(st.minimize(st.Logistic(in_memory(X, y, weight), alpha=0.01)))
    dX, dy, dweight = on_dask(X, y, weight)
    frame = dd.from_map(lambda cut: pd.DataFrame(X[slice(*cut)], columns=list("abcde")), list(pairs()))
    for given in (
        (dX.rechunk({1: 2}), dy, dweight),
        (dX, y.astype(bool), weight.astype(int).tolist()),
        (dX, dy.rechunk(100).astype(int), weight),
        (dX.map_blocks(np.asfortranarray), dy, dweight),
        (frame, y, dweight),
        (frame, dd.from_map(lambda cut: pd.Series(y[slice(*cut)]), list(pairs())), weight),
        (frame.to_dask_array(), dy, weight),
    ):
        data = parts(dask_client, *given)
        assert bits(st.minimize(st.Logistic(data, alpha=0.01))) == memory
        data.engine.close()


def test_chunks_without_rows_are_left_out(dask_client):
    X, y, weight = rows("Logistic")
    few = dd.from_map(lambda cut: pd.DataFrame(X[slice(*cut)]), [*pairs(), (5, 5)])
    data = parts(dask_client, few, y, weight)
    assert data.engine.n_parts() == len(SIZES)
    assert bits(st.minimize(objective_of("Logistic", data))) == expected()
    with pytest.raises(ValueError, match="X must have at least one row, got none in any chunk"):
        parts(dask_client, *(each[on_dask(*rows("Logistic"))[1] > 1] for each in on_dask(X, y, weight)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda X, y, weight: X.__setitem__((211, 2), np.nan),
            r"^part 3: X must be finite, got nan in row 0, column 2",
        ),
        (lambda X, y, weight: y.__setitem__(37, np.inf), r"^part 1: y must be finite, got inf at index 0"),
        (lambda X, y, weight: weight.__setitem__(402, -1.0), r"^part 4: sample_weight must be at least 0, got -1"),
    ],
)
def test_a_bad_part_is_named(dask_client, change, message):
    given = rows("LeastSquares")
    change(*given)
    with pytest.raises(ValueError, match=message):
        parts(dask_client, *on_dask(*given))


def test_an_error_of_a_task_and_of_a_pass_names_the_part(dask_client):
    X, y, _ = on_dask(*rows("Logistic"))

    def broken(block, block_id=None):
        if block_id is not None and block_id[0] == 2:
            raise OSError("the disk is gone")
        return block

    with pytest.raises(RuntimeError, match=r"^chunk 2: OSError: the disk is gone"):
        parts(dask_client, X.map_blocks(broken, dtype=X.dtype, meta=np.empty((0, 0))), y)
    with pytest.raises(TypeError, match=r"chunk 0: X must have columns of numbers, got .* in column 'b'"):
        parts(dask_client, dd.from_pandas(pd.DataFrame({"a": [1.0], "b": ["x"]}), npartitions=1), np.ones(1))
    data = parts(dask_client, X, y)
    with pytest.raises(ValueError, match=r"^part 0 \(on the worker tcp://.*\): w must be"):
        data.engine.reduce(_Wrong(), np.zeros(3))


class _Wrong:
    """A question with parameters of a wrong shape."""

    asks = None

    def of(self, part, w):
        raise ValueError(f"w must be of another shape, got {w.shape}")

    def add(self, first, second):
        return first


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (lambda X, y: (X.compute(), y), TypeError, "X must be a Dask array or a Dask data frame, got float64 of"),
        (lambda X, y: (X[:, 0], y), ValueError, "X must have two dimensions, got 1"),
        (lambda X, y: (X, X), ValueError, "y must have one dimension, got 2"),
        (lambda X, y: (X, y[:-1]), ValueError, "y must have an element for each of the 403 rows of X, got 402"),
        (lambda X, y: (X, np.ones(5)), ValueError, "y must have an element for each of the 403 rows of X, got 5"),
        (lambda X, y: (X, y, y[y > 0]), ValueError, "part 0: sample_weight must have an element for each of the 37"),
        (lambda X, y: (X, np.full(N, "a")), TypeError, "part 0: y must hold numbers, got <U1"),
        (lambda X, y: (X.astype(complex), y), TypeError, "part 0: X must be .* got complex128"),
    ],
)
def test_wrong_arguments_are_refused(dask_client, given, error, message):
    X, y, _ = on_dask(*rows("Logistic"))
    with pytest.raises(error, match=message):
        parts(dask_client, *given(X, y))


def test_the_client_and_the_timeout_are_checked(dask_client):
    X, y, _ = on_dask(*rows("Logistic"))
    with pytest.raises(TypeError, match=r"client must be a synchronous distributed.Client, got None"):
        parts(None, X, y)
    with pytest.raises(ValueError, match="timeout must be a finite number above 0, got 0"):
        parts(dask_client, X, y, timeout=0)


def test_an_objective_names_what_takes_collections():
    X, y, _ = on_dask(*rows("Logistic"))
    with pytest.raises(TypeError, match=r"got Array; leave it on its workers with steepest.dask.parts\(client, X, y\)"):
        st.Logistic(X, y)


def test_importing_steepest_imports_no_dask():
    code = "import sys, steepest as st; st.Logistic, st.minimize; print('dask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
