"""Parts on the workers of a Dask cluster of processes: the same bits, whoever holds them and whoever dies."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp

import steepest as st
from steepest.arrays.sparse import csr_view
from steepest.objectives.parts import Parts

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

from steepest.dask import parts  # noqa: E402

N, D, K = 403, 5, 3
CUTS = [0, 37, 38, 211, 300, N]
SIZES = tuple(int(size) for size in np.diff(CUTS))
LOSSES = ("LeastSquares", "Logistic", "Huber", "Poisson", "Softmax")
pytestmark = pytest.mark.filterwarnings("default")  # of Dask, whose workers say much when they die


def a_cluster(n=2):
    return distributed.LocalCluster(
        n_workers=n, threads_per_worker=1, dashboard_address=":0", silence_logs=50, scheduler_kwargs={"dashboard": False}
    )


@pytest.fixture(scope="module")
def cluster():
    with a_cluster() as found:
        yield found


@pytest.fixture
def client(cluster):
    """A client with two workers, those in the place of dead ones among them."""
    with distributed.Client(cluster) as found:
        found.wait_for_workers(2, timeout=60)
        yield found


def rows(loss, dtype="float64", sparse=False):
    random = np.random.default_rng(0)
    X = random.normal(size=(N, D)) * np.geomspace(0.3, 3.0, D)
    z = X @ np.linspace(-0.7, 0.7, D) + random.normal(size=N)
    y = {"Logistic": z > 0, "Softmax": np.digitize(z, [-1, 1]), "Poisson": random.poisson(np.exp(np.clip(z, -3, 3)))}
    weight = random.integers(0, 3, N)
    if sparse:
        X[np.abs(X) < 0.5] = 0.0
    return X.astype(dtype), np.asarray(y.get(loss, z)).astype(dtype), weight.astype(dtype)


def on_dask(X, y, weight=None, sparse=False):
    """Arrays as Dask arrays, in the chunks of CUTS."""
    found = [da.from_array(X, chunks=(SIZES, D)), *(da.from_array(each, chunks=(SIZES,)) for each in (y, weight))]
    if sparse:
        found[0] = found[0].map_blocks(sp.csr_array)
    return found


def in_memory(X, y, weight, sparse=False):
    cut = [(csr_view(sp.csr_array(X[a:b])) if sparse else X[a:b], y[a:b], weight[a:b]) for a, b in pairs()]
    return Parts.of(cut)


def pairs():
    return itertools.pairwise(CUTS)


def objective_of(loss, data):
    return getattr(st, loss)(data, alpha=0.01, **({"n_classes": K} if loss == "Softmax" else {}))


def bits(result):
    return result.w.tobytes(), result.value, result.n_steps


def expected(loss="Logistic", **options):
    return bits(st.minimize(objective_of(loss, in_memory(*rows(loss, **options)))))


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", LOSSES)
def test_passes_have_the_bits_of_parts_in_memory(client, loss, sparse):
    dtype = "float32" if loss in ("Huber", "Logistic") else "float64"
    given = rows(loss, dtype, sparse)
    data = parts(client, *on_dask(*given, sparse=sparse))
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
def test_quasi_newton_has_the_bits_of_parts_in_memory(client, loss):
    data = parts(client, *on_dask(*rows(loss)))
    assert bits(st.minimize(objective_of(loss, data))) == expected(loss)


@pytest.mark.parametrize("optimizer", [st.GradientDescent(0.05), st.Adam(0.05)], ids=repr)
def test_mini_batches_have_the_bits_of_parts_in_memory(client, optimizer):
    given = rows("Logistic")
    results = [
        st.minimize(objective_of("Logistic", data), None, optimizer, batch_size=64, max_epochs=2, random_state=0)
        for data in (parts(client, *on_dask(*given)), in_memory(*given))
    ]
    assert bits(results[0]) == bits(results[1])


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 3, 4])
def test_the_bits_do_not_depend_on_the_number_of_workers(n):
    with a_cluster(n) as cluster, distributed.Client(cluster) as client:
        for loss in LOSSES:
            data = parts(client, *on_dask(*rows(loss)))
            assert bits(st.minimize(objective_of(loss, data))) == expected(loss)


def test_workers_hold_neighbours_where_x_was_and_drop_them(client):
    def held(dask_worker):
        return sorted(part.index for part in dask_worker.extensions["steepest_parts"]._parts.values())

    X, y, _ = on_dask(*rows("Logistic"))
    data = parts(client, X, y)
    found = sorted(client.run(held).values())
    assert sorted(sum(found, [])) == list(range(len(SIZES)))
    assert all(each == list(range(each[0], each[-1] + 1)) for each in found)
    data.engine.close()
    deadline = time.monotonic() + 10
    while any(client.run(held).values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(RuntimeError, match="the engine is closed"):
        objective_of("Logistic", data)
    first, second = client.scheduler_info()["workers"]
    blocks = [client.persist(X.blocks[i], workers=[second if i == 1 else first]) for i in range(len(SIZES))]
    distributed.wait(blocks)
    data = parts(client, da.concatenate(blocks).persist(), y)
    assert client.run(held)[second] == [1]
    data.engine.close()


def test_all_kinds_of_collections_are_taken(client):
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
        data = parts(client, *given)
        assert bits(st.minimize(st.Logistic(data, alpha=0.01))) == memory
        data.engine.close()


def test_chunks_without_rows_are_left_out(client):
    X, y, weight = rows("Logistic")
    few = dd.from_map(lambda cut: pd.DataFrame(X[slice(*cut)]), [*pairs(), (5, 5)])
    data = parts(client, few, y, weight)
    assert data.engine.n_parts() == len(SIZES)
    assert bits(st.minimize(objective_of("Logistic", data))) == expected()
    with pytest.raises(ValueError, match="X must have at least one row, got none in any chunk"):
        parts(client, dX := da.from_array(X, chunks=(SIZES, D))[dX_none(X)], dX[:, 0])


def dX_none(X):
    return da.from_array(np.zeros(N, bool), chunks=(SIZES,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, weight: X.__setitem__((211, 2), np.nan), r"^part 3: X must be finite, got nan in row 0 of the "),
        (lambda X, y, weight: y.__setitem__(37, np.inf), r"^part 1: y must be finite, got inf at index 0"),
        (lambda X, y, weight: weight.__setitem__(402, -1.0), r"^part 4: sample_weight must be at least 0, got -1"),
    ],
)
def test_a_bad_part_is_named(client, change, message):
    given = rows("LeastSquares")
    change(*given)
    with pytest.raises(ValueError, match=message):
        parts(client, *on_dask(*given))


def test_an_error_of_a_task_and_of_a_pass_names_the_part(client):
    X, y, _ = on_dask(*rows("Logistic"))

    def broken(block, block_id=None):
        if block_id is not None and block_id[0] == 2:
            raise OSError("the disk is gone")
        return block

    with pytest.raises(RuntimeError, match=r"^chunk 2: OSError: the disk is gone"):
        parts(client, X.map_blocks(broken, dtype=X.dtype, meta=np.empty((0, 0))), y)
    with pytest.raises(TypeError, match=r"chunk 0: X must have columns of numbers, got .* in column 'b'"):
        parts(client, dd.from_pandas(pd.DataFrame({"a": [1.0], "b": ["x"]}), npartitions=1), np.ones(1))
    data = parts(client, X, y)
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
def test_wrong_arguments_are_refused(client, given, error, message):
    X, y, _ = on_dask(*rows("Logistic"))
    with pytest.raises(error, match=message):
        parts(client, *given(X, y))


def test_the_client_and_the_timeout_are_checked(client):
    X, y, _ = on_dask(*rows("Logistic"))
    with pytest.raises(TypeError, match=r"client must be a synchronous distributed.Client, got None"):
        parts(None, X, y)
    with pytest.raises(ValueError, match="timeout must be a finite number above 0, got 0"):
        parts(client, X, y, timeout=0)


def killing(client, at, which, number=signal.SIGKILL):
    """A callback that sends a signal to workers before the step `at`."""
    ids, steps = client.run(os.getpid), itertools.count()

    def callback(_):
        if next(steps) == at:
            for process in list(ids.values())[which]:
                os.kill(process, number)

    return callback


@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_worker_that_dies_changes_no_bit(client, at):
    """Its parts are made again, from the tasks of a lazy and of a persisted X, with targets here and there."""
    X, y, weight = on_dask(*rows("Logistic"))
    given = (X, y, weight) if at else (X.persist(), rows("Logistic")[1], weight)
    data = parts(client, *given)
    result = st.minimize(objective_of("Logistic", data), callbacks=killing(client, at, slice(1)))
    assert bits(result) == expected()
    data.engine.close()


def test_a_worker_may_die_within_a_pass(client):
    """At some instant: a thread kills one while passes run."""
    data = parts(client, *on_dask(*rows("Logistic")))
    objective, memory = objective_of("Logistic", data), objective_of("Logistic", in_memory(*rows("Logistic")))
    w = np.linspace(-1.0, 1.0, memory.n_parameters)
    value, gradient = memory.value_and_gradient(w)
    process = next(iter(client.run(os.getpid).values()))
    killer = threading.Timer(0.2, os.kill, (process, signal.SIGKILL))
    killer.start()
    until = time.monotonic() + 1.0
    while time.monotonic() < until or killer.is_alive():
        found, slopes = objective.value_and_gradient(w)
        assert found == value
        assert slopes.tobytes() == gradient.tobytes()


@pytest.mark.slow
def test_all_workers_may_die_if_others_come(client):
    """Dask itself leaves their tasks waiting for the workers that are gone."""
    data = parts(client, *on_dask(*rows("Logistic")))
    result = st.minimize(objective_of("Logistic", data), callbacks=killing(client, 2, slice(2)))
    assert bits(result) == expected()


def test_lost_workers_are_named_in_time():
    with a_cluster() as cluster, distributed.Client(cluster) as client:
        addresses = list(client.scheduler_info()["workers"])
        data = parts(client, *on_dask(*rows("Logistic")), timeout=2)
        kill = killing(client, 2, slice(2))
        for nanny in cluster.workers.values():
            nanny.auto_restart = False
        since = time.monotonic()
        with pytest.raises(TimeoutError, match=r"were not made within 2 s, and the client has 0 workers; the worker "):
            st.minimize(objective_of("Logistic", data), callbacks=kill)
        assert time.monotonic() - since < 20
        del addresses


def test_a_worker_that_hangs_is_named_in_time():
    with a_cluster() as cluster, distributed.Client(cluster) as client:
        data = parts(client, *on_dask(*rows("Logistic")), timeout=2)
        ids = client.run(os.getpid)
        address, process = next(iter(ids.items()))
        os.kill(process, signal.SIGSTOP)
        since = time.monotonic()
        try:
            with pytest.raises(TimeoutError, match=f"the worker {address} does not respond for 2 s"):
                objective_of("Logistic", data)
            assert time.monotonic() - since < 10
        finally:
            os.kill(process, signal.SIGCONT)


def test_parts_that_cannot_be_made_again_are_an_error(client):
    """Of data that were scattered, and of tasks that give other numbers each time."""
    X, y, weight = rows("Logistic")
    delayed = pytest.importorskip("dask").delayed
    futures = client.scatter([X[a:b] for a, b in pairs()], broadcast=False)
    shapes = [(size, D) for size in SIZES]
    scattered = da.concatenate([da.from_delayed(delayed(f), s, X.dtype) for f, s in zip(futures, shapes, strict=True)])
    data = parts(client, scattered, y, weight)
    del futures, scattered
    with pytest.raises(RuntimeError, match=r"part \d is lost: Dask cannot make it again, .*; the worker tcp://"):
        st.minimize(objective_of("Logistic", data), callbacks=killing(client, 1, slice(2)))
    client.wait_for_workers(2, timeout=60)
    changing = da.from_array(X, chunks=(SIZES, D)).map_blocks(lambda block: block + np.random.default_rng().random())
    data = parts(client, changing, y, weight)
    with pytest.raises(RuntimeError, match=r"part \d was made again with other numbers; the worker tcp://"):
        st.minimize(objective_of("Logistic", data), callbacks=killing(client, 1, slice(1)))


def test_importing_steepest_imports_no_dask():
    import subprocess
    import sys

    code = "import sys, steepest as st; st.Logistic, st.minimize; print('dask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
