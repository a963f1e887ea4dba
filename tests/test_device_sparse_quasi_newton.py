"""QuasiNewton over sparse rows on a device: the CPU's statistics of the columns, and the minimum that the CPU finds."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, each_loss
from device_arrays import Interface, csr_on_device, on_device
from steepest.arrays.device import DeviceArray
from steepest.objectives import column_statistics, device_sparse_rows
from steepest.objectives.on_host import on_host
from test_cuda_sparse import each_dtype, problem, rows_of

sparse = pytest.importorskip("scipy.sparse")


def both(loss, X, y, weight=None, indices=None, **options):
    """The same objective on a device and on the host."""
    kind, there = LOSSES[loss].objective, None if weight is None else on_device(weight)
    ours = kind(csr_on_device(X, indices, indices), on_device(y), sample_weight=there, **options)
    return ours, kind(X, y, sample_weight=weight, **options)


def assert_same_minimum(ours, theirs, value=1e-10, w=1e-7, **options):
    found, expected = st.minimize(ours, **options), st.minimize(theirs, **options)
    assert isinstance(found.w, DeviceArray)
    assert found.converged
    assert expected.converged
    assert found.value == pytest.approx(expected.value, rel=value)
    np.testing.assert_allclose(found.w.numpy(), expected.w, rtol=0, atol=w * max(1.0, np.abs(expected.w).max()))
    return found


def far_rows(dtype=np.float64, unit=1.0, n=200):
    """Full columns of which two lie far from zero, and labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 4)) + np.array([60.0, 0.0, -50.0, 1.0])
    y = X[:, 1] + rng.standard_normal(n) > 0
    return sparse.csr_array((unit * X).astype(dtype)), y.astype(dtype)


@each_dtype
@pytest.mark.parametrize("indices", [np.int32, np.int64])
@pytest.mark.parametrize("weighted", [False, True])
def test_statistics_have_the_bits_of_the_host(cuda, dtype, indices, weighted):
    """Of empty columns, of entries twice in a row, of equal numbers, and of squares beyond float64."""
    X, rest = rows_of(300, 40, dtype), sparse.csr_array(np.full((300, 1), 0.1, dtype))
    X = sparse.csr_array(sparse.hstack([X, rest, (1e-200 if dtype == np.float64 else 1e-30) * X[:, [0]]]).astype(dtype))
    y, weight, *_ = problem("logistic", X, dtype)
    weight = weight if weighted else None
    there, of_rows = csr_on_device(X, indices, indices), None if weight is None else on_device(weight)
    ours, theirs = both("logistic", X, y, weight, indices)
    expected = theirs.column_statistics()
    assert expected[1][-2] == 0.0
    for found in (ours.column_statistics(), column_statistics(there, of_rows)):
        assert [each.tobytes() for each in found] == [each.tobytes() for each in expected]


def test_entries_behind_the_last_row_are_none(cuda):
    X = rows_of(30, 5)
    there = csr_on_device(X)
    more = csr_on_device(sparse.csr_array((np.append(X.data, 1e300), np.append(X.indices, 3), X.indptr), shape=X.shape))
    for found, expected in zip(column_statistics(more), column_statistics(there), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_statistics_are_made_once(cuda, monkeypatch):
    """Also where targets are moved, and where a caller changes what it got."""
    asked, function = [], device_sparse_rows.device_sparse_statistics
    monkeypatch.setattr(device_sparse_rows, "device_sparse_statistics", lambda *a: asked.append(1) or function(*a))
    X = rows_of(60, 5)
    ours, theirs = both("least_squares", X, problem("least_squares", X, np.float64)[0] + 1e6)
    ours.column_statistics()[0][:] = np.nan
    st.minimize(ours)
    st.minimize(ours)
    np.testing.assert_array_equal(ours.column_statistics()[0], theirs.column_statistics()[0])
    assert asked == [1]


@each_loss
@pytest.mark.parametrize(
    "options", [{"alpha": 0.01}, {"alpha": 0.05, "l1_ratio": 0.5}, {"alpha": 0.0, "intercept": False}],
    ids=["l2", "l1", "free"],
)  # fmt: skip
def test_the_minimum_is_that_of_the_cpu(cuda, loss, options):
    """With rows of weight 0, empty columns and int64 indices, whose columns come in any order or twice in a row."""
    X = rows_of(200, 12)
    y, weight, *_ = problem(loss, X, np.float64)
    ours, theirs = both(loss, X, y, weight, np.int64, **options)
    found = assert_same_minimum(ours, theirs, max_epochs=300)
    if "l1_ratio" in options:
        expected = st.minimize(theirs).w
        np.testing.assert_array_equal(found.w.numpy() == 0.0, expected == 0.0)
    else:
        assert np.abs(ours.gradient(found.w).numpy()).max() < 1e-8


@each_loss
def test_float32(cuda, loss):
    X = rows_of(200, 12, np.float32)
    y, weight, *_ = problem(loss, X, np.float32)
    assert_same_minimum(*both(loss, X, y, weight, alpha=0.01), value=1e-6, w=1e-3)


@each_dtype
@pytest.mark.parametrize("unit", [1.0, 1e-14, 1e14])
def test_columns_far_from_zero(cuda, dtype, unit):
    """In float32 they are centred in moderate units alone, and minimised as they are elsewhere."""
    ours, theirs = both("logistic", *far_rows(dtype, unit))
    found, expected = st.minimize(ours), st.minimize(theirs)
    assert found.value == pytest.approx(expected.value, rel=1e-10 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("loss", ["least_squares", "huber"])
def test_targets_far_from_zero(cuda, loss):
    X = rows_of(200, 12)
    y = problem(loss, X, np.float64)[0] + 1e7
    assert_same_minimum(*both(loss, X, y, alpha=1e-3), value=1e-9)


def test_separable_classes_end_a_run(cuda):
    """Values below that of one wrong row show it. The smallest weight above 0 decides which these are."""
    X, _ = far_rows()
    y = (X.toarray()[:, 1] > 0).astype(float)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    weight[3] = 0.0
    ours, theirs = both("logistic", X, y, weight)
    assert on_host(ours).data.least_weight == theirs.data.least_weight
    with pytest.warns(st.DiagnosisWarning, match="separable"):
        assert st.minimize(ours).stop_reason == "separable"


@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_squares_beyond_float64_are_refused(cuda, unit):
    """Beside a penalty, a tiny column is none."""
    X = rows_of(200, 6)
    y, *_ = problem("logistic", X, np.float64)
    X.data[X.indices == 1] *= unit
    with pytest.raises(NotImplementedError, match=r"^X must have columns .* from 3e-145 to 3e\+144 .* in column 1;"):
        st.minimize(both("logistic", X, y)[0])
    if unit < 1.0:
        assert_same_minimum(*both("logistic", X, y, alpha=0.01))


def test_callbacks_have_the_scaled_norm(cuda):
    X = rows_of(60, 8)
    y, *_ = problem("logistic", X, np.float64)
    found = []
    for each in both("logistic", X, y, alpha=0.1):
        norms = []
        st.minimize(each, callbacks=lambda progress, into=norms: into.append(progress.scaled_gradient_norm))
        found.append(norms)
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    assert found[0][-1] < 1e-6 * found[0][0]


@pytest.mark.parametrize("name", ["data", "indices", "indptr", "y", "sample_weight"])
def test_freed_memory_is_told(cuda, name):
    X, rows = csr_on_device(rows_of(40, 5)), {"y": on_device(np.ones(40)), "sample_weight": on_device(np.ones(40))}
    objective = st.LeastSquares(X, **rows)
    held = rows[name] if name in rows else getattr(X, name)
    (held.array if isinstance(held, Interface) else held)._buffer.free()
    named = name if name in rows else f"{name} of X"
    calls = [lambda: st.minimize(objective)]
    calls += [objective.column_statistics] if name != "y" else [lambda: objective.data.on_host.target_facts]
    for call in calls:
        with pytest.raises(ValueError, match=rf"^{named} must be memory of CUDA device 0, got an address that is not"):
            call()


@pytest.mark.parametrize("constraint", [st.Box(0, np.inf), st.Box(0, 1)])
def test_a_constraint_is_refused(cuda, constraint):
    ours, _ = both("logistic", *far_rows())
    with pytest.raises(NotImplementedError, match=r"^constraint needs an objective with steps onto a set"):
        st.minimize(ours, constraint=constraint)


@pytest.mark.parametrize("loss", ["least_squares", "logistic"])
def test_a_path_is_that_of_the_cpu(cuda, loss):
    X = rows_of(120, 8)
    ours, theirs = (
        st.path(each, np.array([0.3, 0.1, 0.02]), l1_ratio=1.0, tol=1e-9)
        for each in both(loss, X, problem(loss, X, np.float64)[0])
    )
    assert ours.converged.all()
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-7)
    np.testing.assert_allclose(ours.coefs.toarray(), theirs.coefs.toarray(), rtol=0, atol=1e-4)
