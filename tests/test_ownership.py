"""Who owns an array: masks are refused, and a user's function cannot write into the arrays of a run."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st


@pytest.mark.parametrize("name", ["w", "gradient"])
def test_a_step_refuses_a_masked_array(name):
    arrays = {"w": np.ones(3), "gradient": np.ones(3)}
    masked = np.ma.masked_array(arrays[name], [False, True, False])
    with pytest.raises(TypeError, match=f"{name} must be an array without a mask, got a masked array; fill or drop"):
        st.Adam().step(**{**arrays, name: masked})
    assert (arrays["w"] == 1).all()


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_an_objective_refuses_a_masked_array(name):
    arrays = {"X": np.ones((3, 2)), "y": np.ones(3), "sample_weight": np.ones(3)}
    arrays[name] = np.ma.masked_array(arrays[name])
    with pytest.raises(TypeError, match=f"{name} must be .*, got a masked array; fill or drop the masked elements"):
        st.LeastSquares(**arrays)


def test_a_start_refuses_a_masked_array():
    with pytest.raises(TypeError, match="w0 must be an array without a mask"):
        st.minimize(st.Function(lambda w: (w @ w, 2 * w), 2), np.ma.ones(2), st.GradientDescent(0.1))


def test_a_step_takes_other_subclasses():
    w = np.ones(3).view(np.memmap)
    st.GradientDescent(0.5).step(w, np.ones(3))
    assert (w == 0.5).all()


@pytest.mark.parametrize("method", ["value", "gradient", "value_and_gradient", "hessian_product", "hessian"])
def test_a_function_that_writes_changes_only_a_copy(method):
    def bowl(w):
        value, gradient = float(w @ w), 2 * w
        w[:] = np.nan
        return value, gradient

    def product(w, v):
        result = 2 * v
        w[:] = v[:] = np.nan
        return result

    function, w = st.Function(bowl, 2, product), np.ones(2)
    v = np.array([3.0, 4.0])
    getattr(function, method)(*([w, v] if method == "hessian_product" else [w]))
    assert w.tolist() == [1.0, 1.0]
    assert v.tolist() == [3.0, 4.0]
    if method == "hessian":
        assert function.hessian(w).tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_a_function_may_use_its_gradient_again():
    buffer = np.empty(2)

    def bowl(w):
        np.multiply(w, 2, out=buffer)
        return float(w @ w), buffer

    function = st.Function(bowl, 2)
    first = function.gradient(np.ones(2))
    function.gradient(np.zeros(2))
    assert first.tolist() == [2.0, 2.0]


class Writing(st.LeastSquares):
    """A loss whose methods write to the parameters that they are given."""

    interrupt_at, calls = 0, 0

    def value_and_gradient(self, w):
        type(self).calls += 1
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        return self.spoiling(super().value_and_gradient, w)

    def hessian(self, w):
        return self.spoiling(super().hessian, w)

    def value(self, w):
        return self.spoiling(super().value, w)

    @staticmethod
    def spoiling(method, w):
        result = method(w)
        w[:] = np.nan
        return result


def test_a_loss_of_its_own_changes_only_a_copy_of_the_final_w():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), rng.standard_normal(50)
    Writing.calls, Writing.interrupt_at = 0, 4  # after three steps, where no value is known yet
    objective = Writing(X, y)
    result = st.minimize(objective, None, st.GradientDescent(0.1), max_epochs=100)
    expected = st.minimize(st.LeastSquares(X, y), None, st.GradientDescent(0.1), max_epochs=3, diagnose=False)
    assert (result.stop_reason, result.n_steps) == ("interrupted", 3)
    np.testing.assert_allclose(result.w, expected.w, rtol=1e-12)
    assert result.value == pytest.approx(expected.value, rel=1e-12)


def test_validation_and_hessian_change_only_copies_of_the_w_of_a_run():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), rng.standard_normal(50)

    class Validation:
        n_parameters, dtype = 2, np.dtype(np.float64)

        def value_and_gradient(self, w):
            return self.value(w), w

        def value(self, w):
            value = float(w @ w)
            w[:] = np.nan
            return value

    function = st.Function(lambda w: (float(w @ w), 2 * w), 2)
    run = st.minimize(function, np.ones(2), st.GradientDescent(0.25), validation=Validation(), max_epochs=3)
    assert run.w.tolist() == [0.125, 0.125]
    assert run.history["validation_loss"].tolist() == [2.0, 0.5, 0.125, 0.03125]

    Writing.calls, Writing.interrupt_at = 0, 0
    for kind in (Writing, st.LeastSquares):
        found = st.minimize(kind(X, y), None, st.GradientDescent("auto"), max_epochs=5, diagnose=False)
        assert np.isfinite(found.w).all()
        assert found.n_epochs == 5
