"""QuasiNewton over dense data on a device: passes there, samples on the host, and the minimum that the CPU finds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

import steepest as st
from cases import LOSSES, Problem, each_loss
from device_arrays import csr_on_device, on_device
from steepest.analysis.counts import all_are_zero
from steepest.arrays.device import DeviceArray
from steepest.objectives import device_held, device_rows
from steepest.objectives.on_host import on_host
from steepest.quasi_newton.plan import SamplePlan
from storages import NARROW, rounded
from test_device_runs import there


def both(problem, **options):
    """The results of a run with the default optimizer on a device and on the CPU."""
    start = problem.w0
    ours = st.minimize(there(problem), on_device(start), **options)
    return ours, st.minimize(problem.objective, start, **options)


def assert_same_minimum(ours, theirs, share=1e-7):
    assert isinstance(ours.w, DeviceArray)
    assert ours.converged
    assert theirs.converged
    assert ours.value == pytest.approx(theirs.value, rel=share**1.5, abs=1e-14)
    np.testing.assert_allclose(ours.w.numpy(), theirs.w, rtol=0, atol=share * max(1.0, np.abs(theirs.w).max()))


def counting(monkeypatch, name, module=device_rows):
    """Count the rows that a function of the module is asked for."""
    found, function = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda array, index, *n: found.append(len(index)) or function(array, index, *n))
    return found


@each_loss
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_minimum_is_that_of_the_cpu(cuda, loss, order, weighted, intercept):
    problem = Problem(loss, n=200, d=6, order=order, weighted=weighted, intercept=intercept, alpha=0.01)
    ours, theirs = both(problem)
    assert_same_minimum(ours, theirs)
    gradient = there(problem).gradient(ours.w).numpy()
    assert np.abs(gradient).max() < 1e-8


@each_loss
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_an_l1_penalty(cuda, loss, l1_ratio):
    problem = Problem(loss, n=200, d=8, alpha=0.1, l1_ratio=l1_ratio)
    ours, theirs = both(problem)
    assert_same_minimum(ours, theirs)
    np.testing.assert_array_equal(ours.w.numpy() == 0.0, theirs.w == 0.0)


@each_loss
def test_float32(cuda, loss):
    problem = Problem(loss, n=300, d=5, dtype=np.float32, alpha=0.01)
    assert_same_minimum(*both(problem), share=1e-3)


@pytest.mark.parametrize("storage", NARROW)
def test_narrow_data(cuda, storage):
    X, y, _ = Problem("logistic", n=300, d=5, dtype=np.float32).data
    stored, widened = rounded(X, storage)
    ours = st.minimize(st.Logistic(on_device(stored), on_device(y), alpha=0.01))
    theirs = st.minimize(st.Logistic(widened, y, alpha=0.01))
    assert ours.w.dtype == np.float32
    assert_same_minimum(ours, theirs, share=1e-3)


def many(loss="logistic", n=30_000, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = LOSSES[loss].deviation * rng.standard_normal((n, d))
    X[:, 1] = X[:, 0] + 0.1 * X[:, 1]
    return X, LOSSES[loss].targets(rng.standard_normal(n) + X[:, 0])


@pytest.mark.parametrize("loss", ["logistic", "huber", "poisson"])
def test_a_sample_of_many_rows_is_copied_to_the_host(cuda, monkeypatch, loss):
    X, y = many(loss)
    found = counting(monkeypatch, "gathered")
    objective = LOSSES[loss].objective(on_device(X), on_device(y), alpha=1e-3)
    ours = st.minimize(objective)
    assert_same_minimum(ours, st.minimize(LOSSES[loss].objective(X, y, alpha=1e-3)))
    assert SamplePlan.of(on_host(objective)).rows == 10_000
    assert any(8_000 < each <= 10_000 for each in found)
    assert ours.n_epochs <= 12


def test_a_sample_is_that_of_the_cpu(cuda):
    """The same rows, so that runs differ by the rounding of their passes alone."""
    X, y = many()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
    device = on_host(st.Logistic(on_device(X, "F"), on_device(y), sample_weight=on_device(weight)))
    host = st.Logistic(X, y, sample_weight=weight)
    ours, theirs = device.sample_data(1000, 0), host.sample_data(1000, 0)
    for name in ("X", "targets", "weights"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.weight_sum == theirs.weight_sum
    w = np.linspace(-1, 1, 5)
    np.testing.assert_allclose(device.sample(1000, 0).hessian(w), host.sample(1000, 0).hessian(w), rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_columns_far_from_zero(cuda, alpha):
    X, y = many(n=500)
    X = X + np.array([1e4, 0.0, -3e3, 50.0])
    ours = st.minimize(st.Logistic(on_device(X), on_device(y), alpha=alpha))
    theirs = st.minimize(st.Logistic(X, y, alpha=alpha))
    assert ours.converged
    assert ours.value == pytest.approx(theirs.value, rel=1e-10)
    np.testing.assert_allclose(ours.w.numpy(), theirs.w, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic"])
@pytest.mark.parametrize("unit", [1e-200, 1e-150, 1e155])
def test_squares_beyond_float64_are_refused(cuda, loss, unit):
    random = np.random.default_rng(0)
    X = random.standard_normal((60, 3))
    y = (X[:, 0] + random.standard_normal(60) > 0).astype(float)
    X[:, 1] *= unit
    objective = getattr(st, loss)(on_device(X), on_device(y))
    with pytest.raises(NotImplementedError, match=r"^X must have columns whose root mean squares are .* in column 1;"):
        st.minimize(objective)


@pytest.mark.parametrize("optimizer", [None, st.Adam(0.1)], ids=repr)
@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array], ids=["dense", "sparse"])
def test_counts_that_are_all_zero_have_no_minimum(cuda, make, optimizer):
    X = np.random.default_rng(0).standard_normal((60, 3))
    X = on_device(X) if make is np.asarray else csr_on_device(make(X))
    with pytest.warns(st.DiagnosisWarning):
        result = st.minimize(st.Poisson(X, on_device(np.zeros(60)), alpha=0.1), optimizer=optimizer, max_epochs=300)
    assert not result.converged
    assert result.diagnosis.kind == "separable"


@pytest.mark.parametrize("loss", ["least_squares", "huber"])
def test_targets_far_from_zero(cuda, loss):
    X, y = many(loss, n=500)
    y = y + 1e7
    ours = st.minimize(LOSSES[loss].objective(on_device(X), on_device(y)))
    theirs = st.minimize(LOSSES[loss].objective(X, y))
    assert ours.value == pytest.approx(theirs.value, rel=1e-9)
    np.testing.assert_allclose(ours.w.numpy(), theirs.w, rtol=1e-7)


def test_beyond_4096_parameters_it_has_limited_memory(cuda):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4200)) / 60
    y = (X[:, 0] > 0).astype(float)
    objective = st.Logistic(on_device(X), on_device(y), alpha=0.1)
    assert not SamplePlan.of(on_host(objective)).possible
    assert SamplePlan.of(on_host(st.Logistic(on_device(X[:, :10].copy()), on_device(y)))).possible
    assert_same_minimum(st.minimize(objective), st.minimize(st.Logistic(X, y, alpha=0.1)))


def test_it_is_the_default_of_full_batch_runs(cuda, monkeypatch):
    asked, runner = [], st.QuasiNewton.runner
    monkeypatch.setattr(st.QuasiNewton, "runner", lambda self, *given: asked.append(1) or runner(self, *given))
    problem = Problem("logistic", n=40, d=5, alpha=0.1)
    st.minimize(there(problem))
    assert asked == [1]
    st.minimize(there(problem), batch_size=8, max_epochs=1, random_state=0)
    assert asked == [1]


def test_options_of_a_run(cuda):
    problem = Problem("logistic", n=60, d=5, alpha=0.1)
    X, y, _ = problem.data
    seen = []
    result = st.minimize(
        there(problem), on_device(problem.w0), validation=(on_device(X), on_device(y)), record_path=True,
        stop=st.stop.GradientNorm(1e-6), callbacks=seen.append,
    )  # fmt: skip
    assert result.stop_reason == "GradientNorm"
    assert len(seen) == len(result.history["loss"]) == len(result.history["validation_loss"])
    assert result.path.shape == (result.n_steps + 1, 6)
    assert isinstance(result.path, np.ndarray)
    best = int(np.argmin(result.history["validation_loss"]))
    np.testing.assert_array_equal(result.w.numpy(), result.path[best])
    short = st.minimize(there(problem), max_epochs=1)
    assert (short.n_epochs, short.stop_reason) == (1, "max_epochs")
    assert short.value == pytest.approx(there(problem).value(short.w), rel=1e-12)


def test_the_same_bits_every_time(cuda):
    problem = Problem("poisson", n=300, d=5, dtype=np.float32, alpha=0.01)
    first, again = (st.minimize(there(problem)) for _ in range(2))
    np.testing.assert_array_equal(first.w.numpy(), again.w.numpy())
    np.testing.assert_array_equal(first.history["loss"], again.history["loss"])


def test_ctrl_c_returns_what_was_reached(cuda):
    def interrupt(progress):
        if progress.epoch == 1:
            raise KeyboardInterrupt

    result = st.minimize(there(Problem("poisson", n=60, d=5, alpha=0.1)), callbacks=interrupt)
    assert (result.stop_reason, result.n_epochs) == ("interrupted", 1)
    assert np.isfinite(result.w.numpy()).all()


def test_freed_memory_is_told(cuda):
    X, y, _ = Problem("logistic", n=40, d=6).data
    held = on_device(X)
    objective = st.Logistic(held, on_device(y))

    def free(progress):
        held._buffer.free()

    with pytest.raises(ValueError, match=r"^X must be memory of CUDA device 0, got an address that is not"):
        st.minimize(objective, callbacks=free)


def test_what_is_refused(cuda):
    objective = there(Problem("logistic", n=40, d=6))
    with pytest.raises(ValueError, match=r"^batch_size must be None for st\.QuasiNewton"):
        st.minimize(objective, optimizer=st.QuasiNewton(), batch_size=4)


def test_a_subclass_with_a_method_of_its_own_is_refused(cuda):
    class Own(st.Logistic):
        def value_and_gradient(self, w):
            return super().value_and_gradient(w)

    X, y, _ = Problem("logistic", n=40, d=6).data
    with pytest.raises(NotImplementedError, match=r"QuasiNewton\(\) needs an objective with statistics"):
        st.minimize(Own(on_device(X), on_device(y)), optimizer=st.QuasiNewton())


def test_a_separable_problem_ends(cuda):
    X = np.linspace(-1, 1, 40)[:, None]
    y = (X[:, 0] > 0).astype(float)
    with pytest.warns(st.DiagnosisWarning):
        result = st.minimize(st.Logistic(on_device(X), on_device(y)))
    assert result.stop_reason == "separable"


def test_facts_of_the_targets_are_asked_for_once(cuda, monkeypatch):
    asked, of = [], device_held.TargetFacts.of
    monkeypatch.setattr(device_held.TargetFacts, "of", lambda y, weight: asked.append(1) or of(y, weight))
    objective = there(Problem("poisson", n=60, d=5, alpha=0.1))
    st.minimize(objective)
    st.minimize(objective)
    assert asked == [1]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [500, 2**16 + 7])
def test_facts_of_targets(cuda, n, weighted):
    rng = np.random.default_rng(0)
    y, weight = rng.standard_normal(n), rng.uniform(0.5, 2.0, n)
    there = on_device(weight) if weighted else None
    data = on_host(st.LeastSquares(on_device(np.ones((n, 1))), on_device(y), sample_weight=there)).data
    s, found = weight if weighted else np.ones(n), data.target_facts
    np.testing.assert_allclose(found.sums, [s.sum(), s @ y, s @ y**2, s @ s], rtol=1e-12)
    assert found.mean == pytest.approx(np.average(y, weights=s), rel=1e-10)
    assert min(n, 4096) <= len(found.sample) <= 8192
    assert {y.min(), y.max()} <= set(found.values)
    np.testing.assert_array_equal(found.sample, y[:: max(1, n // 4096)])
    assert data.least_weight == (weight.min() if weighted else 1.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_rare_target_is_among_the_facts(weighted):
    """One that is not in the sample. Rows of weight 0 do not hide it."""
    n = 2**16 + 7
    y, weight = np.zeros(n, np.float32), np.ones(n, np.float32)
    y[12_345] = 3.0
    if weighted:
        y[23_456], y[34_567] = 7.0, -7.0
        weight[[23_456, 34_567]] = 0.0
    found = device_held.facts_of(y, weight if weighted else None)
    totals = dict(zip(found.values, found.totals, strict=True))
    assert totals[3.0] == 1.0
    assert [totals.get(far, 0.0) for far in (7.0, -7.0)] == [0.0, 0.0]
    assert totals[0.0] >= 4000
    ends = {7.0, -7.0} if weighted else set()
    assert set(totals) == {0.0, 3.0} | ends
    counted = SimpleNamespace(data=SimpleNamespace(target_facts=found))
    assert not all_are_zero(counted)


@pytest.mark.parametrize("n", [2**14, 2**17])
def test_the_sample_is_of_rows_that_have_a_weight(n):
    """However the others are spread: here each of a few rows side by side, at all places of the sample."""
    y, weight = np.arange(n, dtype=np.float32), np.ones(n, np.float32)
    weight[:: n // 4096] = 0.0
    found = device_held.facts_of(y, weight)
    assert 4096 <= len(found.sample) <= 8192
    assert found.sample_weights.min() > 0
    assert weight[found.sample.astype(int)].all()
    assert found.sums[0] == weight.sum()


@each_loss
def test_a_path_is_that_of_the_cpu(cuda, loss):
    problem = Problem(loss, n=120, d=5)
    alphas = np.array([0.3, 0.1, 0.02])
    ours, theirs = (st.path(each, alphas, l1_ratio=1.0, tol=1e-9) for each in (there(problem), problem.objective))
    assert ours.converged.all()
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-7)
    np.testing.assert_allclose(ours.coefs.toarray(), theirs.coefs.toarray(), rtol=0, atol=1e-4)
