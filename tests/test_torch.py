"""Tensors of torch in the CPU's memory: steps in place, objectives and runs over them, and what comes back."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, Problem, each_loss

torch = pytest.importorskip("torch")

OPTIMIZERS = [
    (lambda: st.GradientDescent(0.05), "SGD", {"lr": 0.05}),
    (lambda: st.Momentum(0.02, momentum=0.8), "SGD", {"lr": 0.02, "momentum": 0.8}),
    (lambda: st.Adam(0.01), "Adam", {"lr": 0.01}),
    (lambda: st.Adam(0.01, weight_decay=0.1), "AdamW", {"lr": 0.01, "weight_decay": 0.1}),
]
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def network(dtype):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).to(dtype)


@each_dtype
@pytest.mark.parametrize(("make", "name", "keywords"), OPTIMIZERS)
def test_trains_a_network_as_torch_does(make, name, keywords, dtype):
    ours, theirs = network(dtype), network(dtype)
    steppers = [make() for _ in ours.parameters()]
    optimizer = getattr(torch.optim, name)(theirs.parameters(), **keywords)
    where = [p.data_ptr() for p in ours.parameters()]
    x = torch.linspace(-1, 1, 80, dtype=dtype).reshape(20, 4)
    y = x.prod(1, keepdim=True)
    for _ in range(30):
        for model in (ours, theirs):
            model.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
        for stepper, parameter in zip(steppers, ours.parameters(), strict=True):
            stepper.step(parameter, parameter.grad)
        optimizer.step()
    assert [p.data_ptr() for p in ours.parameters()] == where
    tolerance = 1e-5 if dtype is torch.float32 else 1e-12
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)
        assert p.requires_grad


@pytest.mark.parametrize("kinds", ["torch and numpy", "numpy and torch", "torch and torch"])
def test_arrays_of_two_libraries(kinds):
    w, g = np.linspace(-1, 1, 9), np.cos(np.arange(9.0))
    expected, same = w.copy(), (torch.from_numpy if kinds.startswith("torch") else np.asarray)(w)
    gradient = torch.from_numpy(g) if kinds.endswith("torch") else g
    ours, theirs = st.Adam(), st.Adam()
    for _ in range(3):
        ours.step(same, gradient)
        theirs.step(expected, g)
    np.testing.assert_array_equal(w, expected)
    assert ours.n_steps == 3
    for array in ours.state_dict()["state"].values():
        assert isinstance(array, np.ndarray)


def test_autograd_sees_that_a_parameter_changed():
    w = torch.ones(3, requires_grad=True)
    loss = (w**2).sum()
    st.GradientDescent(0.1).step(w, torch.ones(3))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    with torch.inference_mode():
        st.GradientDescent(0.1).step(torch.ones(3), torch.ones(3))


BAD_TENSORS = {
    "of half precision": (lambda: torch.zeros(4, dtype=torch.float16), TypeError, r"^w\b.*float16"),
    "of bfloat16": (lambda: torch.zeros(4, dtype=torch.bfloat16), TypeError, r"^w\b.*bfloat16"),
    "with strides": (lambda: torch.zeros(8)[::2], ValueError, r"^w\b.*contiguous"),
    "of another shape": (lambda: torch.zeros(5), ValueError, r"^gradient\b.*\(5,\).*\(4,\)"),
    "conjugated": (lambda: torch.zeros(4, dtype=torch.complex64).conj(), TypeError, r"^w\b.*conjugate"),
    "negated": (lambda: torch.zeros(4, dtype=torch.complex64).conj().imag, TypeError, r"^w\b.*resolve_neg"),
    "sparse": (lambda: torch.zeros(4).to_sparse(), TypeError, r"^w\b.*Tensor.*strided"),
    "nowhere": (lambda: torch.zeros(4, device="meta"), TypeError, r"^w\b.*Tensor.*meta"),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_bad_tensors_are_named(case):
    make, error, message = BAD_TENSORS[case]
    optimizer = st.Adam()
    with pytest.raises(error, match=message):
        optimizer.step(make(), torch.ones(4))
    assert optimizer.n_steps == 0


def test_overlap_is_seen():
    w = torch.zeros(10)
    with pytest.raises(ValueError, match="overlap"):
        st.GradientDescent(0.1).step(w[:6], w[4:])


def tensors(problem):
    X, y, s = problem.data
    weights = torch.from_numpy(s) if problem.weighted else None
    return torch.from_numpy(X), torch.from_numpy(y), weights


@each_loss
@pytest.mark.parametrize("order", ["C", "F"])
@each_dtype
def test_an_objective_over_tensors(loss, order, dtype):
    numpy_dtype = np.float32 if dtype is torch.float32 else np.float64
    problem = Problem(loss, order=order, weighted=True, alpha=0.1, dtype=numpy_dtype)
    X, y, s = tensors(problem)
    ours, theirs = LOSSES[loss][0](X, y, sample_weight=s, alpha=0.1), problem.objective
    assert ours.X is X
    assert ours.y is y
    assert ours.sample_weight is s
    assert (ours.n_samples, ours.n_features, ours.dtype) == (theirs.n_samples, theirs.n_features, theirs.dtype)
    assert repr(ours) == repr(theirs)
    w = torch.tensor(problem.w0, requires_grad=True)
    value, gradient = ours.value_and_gradient(w)
    assert value == theirs.value_and_gradient(problem.w0)[0]
    assert ours.value(w) == theirs.value(problem.w0)
    for ours_is, theirs_is in (
        (gradient, theirs.gradient(problem.w0)),
        (ours.gradient(w), theirs.gradient(problem.w0)),
        (ours.hessian_product(w, w), theirs.hessian_product(problem.w0, problem.w0)),
        (ours.hessian(w), theirs.hessian(problem.w0)),
    ):
        assert isinstance(ours_is, torch.Tensor)
        np.testing.assert_array_equal(ours_is.numpy(), theirs_is)
    assert isinstance(ours.gradient(problem.w0), np.ndarray)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_an_objective_over_tensors_of_16_bits(order, dtype):
    problem = Problem(n=40, d=21, order=order, dtype=np.float32)
    X, y, _ = tensors(problem)
    X = X.to(dtype)
    ours = st.LeastSquares(X, y)
    theirs = st.LeastSquares(np.asarray(X.float().numpy(), order=order), y)
    w = torch.from_numpy(problem.w0)
    assert (ours.X is X, ours.dtype) == (True, np.float32)
    torch.testing.assert_close(ours.gradient(w), theirs.gradient(w), rtol=1e-5, atol=1e-6)
    run = st.minimize(ours, w, batch_size=7, max_epochs=2, random_state=0)
    assert run.w.dtype == torch.float32
    X *= 0
    assert ours.gradient(w)[:-1].abs().max() == 0
    with pytest.raises(TypeError, match=r"^y must .*float32.*convert it with y.to\(torch.float32\)"):
        st.LeastSquares(X, y.to(dtype))


def test_an_objective_over_tensors_goes_through_pickle():
    X, y, _ = tensors(Problem())
    copy = pickle.loads(pickle.dumps(st.LeastSquares(X, y)))
    assert isinstance(copy.X, torch.Tensor)
    assert copy.value(Problem().w0) == Problem().objective.value(Problem().w0)


def test_data_of_tensors_are_checked():
    X, y, _ = tensors(Problem())
    with pytest.raises(TypeError, match=r"^y must .*float64.*float32.*convert it with y.to\(torch.float64\)"):
        st.LeastSquares(X, y.float())
    with pytest.raises(ValueError, match=r"^X must .*contiguous.*convert it with X.contiguous\(\)"):
        st.LeastSquares(X[:, ::2], y)
    with pytest.raises(ValueError, match=r"^y must be finite.*nan at index 0"):
        st.LeastSquares(X, y * float("nan"))
    with pytest.raises(ValueError, match=r"^w must .*\(6,\).*\(2,\)"):
        st.LeastSquares(X, y).value(torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("batch_size", [None, 5])
def test_minimize_over_tensors(batch_size):
    problem = Problem("logistic")
    X, y, _ = tensors(problem)
    w0 = torch.from_numpy(problem.w0)
    options = {"max_epochs": 3, "batch_size": batch_size, "random_state": 0, "record_path": True}
    theirs = st.minimize(problem.objective, problem.w0, **options, validation=problem.data[:2])
    ours = st.minimize(st.Logistic(X, y), w0, **options, validation=(X, y))
    assert isinstance(ours.w, torch.Tensor)
    assert isinstance(ours.path, np.ndarray)
    np.testing.assert_array_equal(ours.w.numpy(), theirs.w)
    np.testing.assert_array_equal(ours.path, theirs.path)
    assert w0.tolist() == problem.w0.tolist()
    assert "w=tensor" in repr(ours)


def test_the_result_is_of_the_library_of_w0_or_of_x():
    X, y, _ = tensors(Problem())
    assert isinstance(st.minimize(st.LeastSquares(X, y), max_epochs=1).w, torch.Tensor)
    assert isinstance(st.minimize(st.LeastSquares(X, y), Problem().w0, max_epochs=1).w, np.ndarray)
    assert isinstance(st.minimize(Problem().objective, torch.zeros(6).double(), max_epochs=1).w, torch.Tensor)
