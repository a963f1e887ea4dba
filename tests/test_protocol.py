"""The protocol of objectives: what counts as one, what each can do, and the errors where one cannot."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import steepest as st
from device_arrays import on_device
from steepest import _core
from steepest.objectives import protocol
from steepest.objectives.protocol import Capability, layout_of, penalty_of, supports

X = np.array([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0]])
Y = np.array([0.0, 1.0, 1.0])


class Bowl:
    """The least that is an objective."""

    n_parameters = 2
    dtype = np.dtype(np.float64)

    def value_and_gradient(self, w):
        return float(w @ w), 2 * w


class Own(st.LeastSquares):
    """A loss of data that computes in Python, which the native loop does not know."""

    def value_and_gradient(self, w):
        return super().value_and_gradient(w)


class Careful(Bowl):
    """An objective that says what it can do."""

    def supports(self, capability):
        return capability == "curvature"


BOWL = st.Function(lambda w: (float(w @ w), 2 * w), 2)
ANY = {"curvature", "constraint", "starts", "threads"}
ALL = {str(each) for each in Capability}
DENSE = ALL - {"buffers", "entries", "fewer_columns", "row_entries"}  # of parts, and of a sparse X
CASES = {
    "LeastSquares": (st.LeastSquares(X, Y), DENSE),
    "Logistic": (st.Logistic(X, Y), DENSE),
    "Softmax": (st.Softmax(X, Y), DENSE),
    "own value_and_gradient": (Own(X, Y), ANY | {"data", "hessian_product"}),
    "Function": (BOWL, ANY),
    "Function with products": (st.Function(lambda w: (0.0, w), 2, lambda w, v: v), ANY | {"hessian_product"}),
    "Taylor": (st.taylor(BOWL, np.ones(2)), ANY | {"hessian_product"}),
    "bare": (Bowl(), ANY),
    "says so itself": (Careful(), {"curvature"}),
}


class Bare:
    """A native objective over data that can only be read whole, as a stream may be."""

    def supports(self, capability):
        return False


def test_a_loss_asks_its_data_what_they_can_do(monkeypatch):
    objective = st.LeastSquares(X, Y)
    monkeypatch.setattr(objective, "native", Bare())
    assert {each for each in ALL if objective.supports(each)} == ANY | {"data", "hessian_product"} | {
        *("column_ranges", "columns", "digests", "rows", "steps", "targets")
    }


def test_native_sources_use_the_names_of_capabilities():
    assert set(_core.capabilities) <= ALL


@pytest.mark.parametrize("objective", [st.LeastSquares(X, Y), BOWL, Bowl()], ids=["data", "Function", "bare"])
def test_names_and_members_ask_for_the_same(objective):
    assert [supports(objective, each) for each in Capability] == [supports(objective, str(each)) for each in Capability]


@pytest.mark.parametrize(("objective", "able"), CASES.values(), ids=CASES)
def test_what_each_can_do(objective, able):
    assert isinstance(objective, st.Objective)
    assert {str(each) for each in Capability if supports(objective, each)} == able


def test_what_an_objective_on_a_device_can_do(cuda):
    objective = st.LeastSquares(on_device(X), on_device(Y))
    assert {str(each) for each in Capability if supports(objective, each)} == {
        *("batches", "column_statistics", "constraint", "curvature", "data", "hessian", "hessian_product", "starts"),
        "steps",
    }


LACKING = [
    (
        lambda o: st.minimize(o, np.zeros(2), st.QuasiNewton()),
        "QuasiNewton.. needs an objective with statistics",
        Bowl(),
    ),
    (lambda o: st.minimize(o, np.zeros(2), st.Adam(), batch_size=2), "batch_size=2 needs .* some of its rows", Bowl()),
    (lambda o: st.minimize(o, np.zeros(2), constraint=st.Box(0, 1)), "constraint needs .*onto a set", Careful()),
    (lambda o: st.minimize(o, np.zeros(2), starts=2), "starts needs an objective with several starts", Careful()),
    (lambda o: st.grid_search(o, st.Adam(), w0=np.zeros(2), n_jobs=2), "n_jobs=2 needs .* several runs", Careful()),
]


@pytest.mark.parametrize(("call", "message", "objective"), LACKING)
def test_an_error_names_who_asks_what_is_missing_who_has_it_and_what_came(call, message, objective):
    with pytest.raises((TypeError, ValueError), match=rf"{message}.*, which .* have, got {type(objective).__name__}; "):
        call(objective)


def test_parameters_and_penalty_of_what_does_not_say():
    assert layout_of(Bowl()) == (1, 2, False)
    assert layout_of(st.Softmax(X, Y)) == (2, 2, True)
    assert penalty_of(Bowl()).l1 == 0.0
    found = penalty_of(st.Logistic(X, Y, alpha=0.5, l1_ratio=0.25))
    assert (found.l1, found.l2) == (0.125, 0.375)


def test_the_example_runs():
    assert doctest.testmod(protocol, raise_on_error=True).attempted > 0
