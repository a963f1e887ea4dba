"""`Function` in float32: it is given float32, returns float32, and every optimizer and analysis takes it."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st

H = np.diag([1.0, 4.0]).astype(np.float32)
OPTIMIZERS = {
    "GradientDescent": lambda: st.GradientDescent(0.2),
    "auto": lambda: st.GradientDescent("auto"),
    "Momentum": lambda: st.Momentum(0.05),
    "AdaGrad": lambda: st.AdaGrad(0.5),
    "RMSProp": lambda: st.RMSProp(0.02),
    "Adam": lambda: st.Adam(0.1),
}


def bowl(seen=None, gradient_dtype=np.float32):
    """(w - 1).H(w - 1) / 2."""

    def value_and_gradient(w):
        if seen is not None:
            seen.add(w.dtype.name)
        slope = H @ (w - 1)
        return 0.5 * slope @ (w - 1), slope.astype(gradient_dtype)

    return st.Function(value_and_gradient, 2, lambda w, v: H @ v, dtype=np.float32)


@pytest.mark.parametrize("gradient_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_run(make, gradient_dtype):
    seen = set()
    result = st.minimize(bowl(seen, gradient_dtype), np.zeros(2, np.float32), make(), max_epochs=400, record_path=True)
    assert (result.w.dtype, result.path.dtype, seen) == (np.float32, np.float32, {"float32"})
    np.testing.assert_allclose(result.w, [1.0, 1.0], atol=0.02)


def test_its_members():
    function, w = bowl(), np.array([2.0, 3.0], np.float32)
    value, gradient = function.value_and_gradient(w)
    assert (function.dtype, value, type(value)) == (np.float32, 8.5, float)
    for found, expected in ((gradient, [1, 8]), (function.hessian_product(w, w), [2, 12]), (function.hessian(w), H)):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_analyses_and_searches():
    function, w = bowl(), np.ones(2, np.float32)
    found = st.curvature(function, w)
    assert (found.kind, found.condition_number) == ("minimum", pytest.approx(4.0))
    assert st.taylor(function, w)(w + 1) == pytest.approx(2.5)
    assert 0.1 < st.find_learning_rate(function, st.GradientDescent(1.0)).suggestion < 0.5
    assert st.grid_search(function, st.GradientDescent(1.0), [0.01, 0.4]).best_learning_rate == 0.4
    box = st.minimize(function, None, st.GradientDescent(0.2), constraint=st.Box(-0.5, 0.5), starts=2, random_state=0)
    np.testing.assert_allclose(box.w, [0.5, 0.5])


@pytest.mark.parametrize("w", [np.zeros(2), [0.0, 0.0]])
def test_float64_is_refused(w):
    with pytest.raises(TypeError, match="w0 must be a contiguous float32 array"):
        st.minimize(bowl(), w, st.Adam())


@pytest.mark.parametrize(("dtype", "error"), [(np.float16, ValueError), (int, ValueError), ("text", TypeError)])
def test_other_dtypes_are_refused(dtype, error):
    with pytest.raises(error, match=r"dtype must be np\.float64 or np\.float32, got"):
        st.Function(lambda w: (0.0, w), 2, dtype=dtype)
