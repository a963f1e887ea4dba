"""One suite over every place where the kernels run: the CPU, the CUDA kernels emulated, and a GPU if there is one."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

import steepest as st
from cases import LOSSES, Problem, assert_follows, each_loss, each_rule
from device_arrays import on_device
from devices import MODULES, module
from steepest.arrays import device
from storages import STORAGES, arithmetic, rounded


class Place:
    """Where arrays lie, and how they come and go."""

    def __init__(self, name):
        self.on_host = name == "cpu"
        self.use = nullcontext if self.on_host else lambda: device.use(module(name))

    def put(self, array, order="C"):
        return np.array(array, order=order) if self.on_host else on_device(np.array(array), order)

    def get(self, array):
        return array if self.on_host else array.numpy()

    def objective(self, problem, storage=None):
        X, y, s = problem.data
        stored = rounded(X, storage)[0] if storage else X
        options = {"intercept": problem.intercept, "alpha": problem.alpha, "l1_ratio": problem.l1_ratio}
        weights = self.put(s) if problem.weighted else None
        make = LOSSES[problem.loss][0]
        return make(self.put(stored, problem.order), self.put(y), sample_weight=weights, **options)


@pytest.fixture(params=["cpu", *MODULES])
def place(request):
    found = Place(request.param)
    with found.use():
        yield found


def check(place, problem, storage=None):
    X, y, s = problem.data
    values = rounded(X, storage)[1].astype(float) if storage else X.astype(float)
    options = {"intercept": problem.intercept, "alpha": problem.alpha, "l1_ratio": problem.l1_ratio}
    w = problem.w0
    value, gradient = place.objective(problem, storage).value_and_gradient(place.put(w))
    expected_value, expected = LOSSES[problem.loss][1](
        values, y.astype(float), w.astype(float), sample_weight=s, **options
    )
    tolerance = 1e-12 if w.dtype == np.float64 else 3e-5
    assert value == pytest.approx(expected_value, rel=tolerance)
    np.testing.assert_allclose(
        place.get(gradient), expected, rtol=tolerance, atol=tolerance * (1 + np.abs(expected).max())
    )


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (31, 33), (33, 31), (129, 7), (1000, 3), (7, 1000)])
def test_gradient(place, loss, dtype, order, n, d):
    check(place, Problem(loss, n=n, d=d, order=order, dtype=dtype))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_of_20_000_columns(place, dtype, order):
    check(place, Problem("logistic", n=5, d=20_000, order=order, dtype=dtype))


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (33, 31), (70, 129)])
def test_storage(place, storage, order, n, d):
    check(place, Problem("logistic", n=n, d=d, order=order, dtype=arithmetic(storage), weighted=True), storage)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=some.data())
def test_any_problem(place, data):
    draw = data.draw
    problem = Problem(
        draw(some.sampled_from(list(LOSSES))),
        n=draw(some.integers(1, 80)),
        d=draw(some.integers(1, 80)),
        order=draw(some.sampled_from("CF")),
        weighted=draw(some.booleans()),
        intercept=draw(some.booleans()),
        alpha=draw(some.sampled_from([0.0, 0.3])),
        l1_ratio=draw(some.sampled_from([0.0, 0.4, 1.0])),
        seed=draw(some.integers(0, 100)),
    )
    check(place, problem)


@each_rule
@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_run(place, rule, batch_size):
    problem = Problem("logistic", n=23, d=5, alpha=0.1, l1_ratio=0.3, weighted=True)
    result = st.minimize(
        place.objective(problem), place.put(problem.w0), rule.make(), max_epochs=3, batch_size=batch_size,
        random_state=7, record_path=True,
    )  # fmt: skip
    assert_follows(result.path, problem.path(rule, 3, batch_size), 1e-11)


@each_rule
@pytest.mark.parametrize("n", [1, 31, 33, 129, 1000])
def test_step(place, rule, n):
    rng = np.random.default_rng(n)
    w, optimizer = rng.standard_normal(n), rule.make()
    ours, state = place.put(w), {}
    for t in (1, 2, 3):
        g = rng.standard_normal(n)
        optimizer.step(ours, place.put(g))
        w, state = rule.reference(w, g, state, t, **rule.keywords)
    np.testing.assert_allclose(place.get(ours), w, rtol=1e-12, atol=1e-14)


def test_the_same_seed_is_the_same_run(place):
    problem = Problem("logistic", n=300, d=20, dtype=np.float32)
    runs = [
        place.get(st.minimize(place.objective(problem), batch_size=32, max_epochs=3, random_state=seed).w)
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()
