"""Dask workers that die or hang while a fit runs. Each test has a cluster of its own."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import steepest as st

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

from distributed.core import Status  # noqa: E402

from dask_cases import (  # noqa: E402
    SIZES,
    D,
    a_cluster,
    bits,
    expected,
    in_memory,
    killing,
    objective_of,
    on_dask,
    pairs,
    rows,
)
from steepest.dask import parts  # noqa: E402


@pytest.fixture
def client():
    with a_cluster() as cluster, distributed.Client(cluster) as found:
        yield found


@pytest.mark.parametrize("at", [pytest.param(0, marks=pytest.mark.slow), 2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_worker_that_dies_changes_no_bit(client, at):
    """Its parts are made again, from a lazy or a persisted X, and from targets on Dask or in this process."""
    X, y, weight = on_dask(*rows("Logistic"))
    given = (X, y, weight) if at else (X.persist(), rows("Logistic")[1], weight)
    data = parts(client, *given)
    result = st.minimize(objective_of("Logistic", data), callbacks=killing(client, at, slice(1)))
    assert bits(result) == expected()
    data.engine.close()


@pytest.mark.slow
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


@pytest.mark.slow
def test_workers_may_leave_and_die_where_the_scheduler_passes_messages_on():
    with a_cluster(3) as cluster, distributed.Client(cluster, direct_to_workers=False) as client:
        data, kill, steps = parts(client, *on_dask(*rows("Logistic"))), killing(client, 3, slice(1)), []

        def callback(progress):
            steps.append(progress)
            if len(steps) == 2:
                client.retire_workers([list(client.nthreads())[-1]])
            return kill(progress)

        assert bits(st.minimize(objective_of("Logistic", data), callbacks=callback)) == expected()


@pytest.mark.slow
def test_lost_workers_are_named_in_time(client):
    data = parts(client, *on_dask(*rows("Logistic")), timeout=2)
    kill = killing(client, 2, slice(2))
    for nanny in client.cluster.workers.values():
        nanny.status = Status.closing_gracefully  # with which it starts no other worker
    since = time.monotonic()
    with pytest.raises(TimeoutError, match=r"5 of 5 chunks were not made within 2 s, .* 0 workers; the worker tcp://"):
        st.minimize(objective_of("Logistic", data), callbacks=kill)
    assert time.monotonic() - since < 20


@pytest.mark.slow
def test_a_worker_that_hangs_is_named_in_time(client):
    data = parts(client, *on_dask(*rows("Logistic")), timeout=2)
    address, process = next(iter(client.run(os.getpid).items()))
    os.kill(process, signal.SIGSTOP)
    since = time.monotonic()
    try:
        with pytest.raises(TimeoutError, match=f"the worker {address} does not respond for 2 s"):
            objective_of("Logistic", data)
        assert time.monotonic() - since < 10
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.mark.slow
def test_parts_that_cannot_be_made_again_are_an_error(client):
    """Of data that were scattered: Dask has them nowhere else."""
    X, y, weight = rows("Logistic")
    delayed = pytest.importorskip("dask").delayed
    futures = client.scatter([X[a:b] for a, b in pairs()], broadcast=False)
    shapes = [(size, D) for size in SIZES]
    scattered = da.concatenate([da.from_delayed(delayed(f), s, X.dtype) for f, s in zip(futures, shapes, strict=True)])
    data = parts(client, scattered, y, weight)
    del futures, scattered
    with pytest.raises(RuntimeError, match=r"part \d is lost: Dask cannot make it again, .*; the worker tcp://"):
        st.minimize(objective_of("Logistic", data), callbacks=killing(client, 1, slice(2)))


@pytest.mark.slow
def test_parts_that_are_other_ones_the_second_time_are_an_error(client):
    X, y, weight = rows("Logistic")
    changing = da.from_array(X, chunks=(SIZES, D)).map_blocks(lambda block: block + np.random.default_rng().random())
    data = parts(client, changing, y, weight)
    with pytest.raises(RuntimeError, match=r"part \d was made again with other numbers; the worker tcp://"):
        st.minimize(objective_of("Logistic", data), callbacks=killing(client, 1, slice(1)))
