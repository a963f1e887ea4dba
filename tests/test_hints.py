"""Keyword arguments by the names of other libraries are refused with what to write instead."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

import steepest as st
from steepest.arrays.hints import hinting

OBJECTIVE = st.LeastSquares(np.eye(3), np.ones(3))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("max_iter", "max_epochs=..."),
        ("epochs", "max_epochs=..."),
        ("n_epochs", "max_epochs=..."),
        ("maxiter", "max_epochs=..."),
        ("lr", "optimizer=st.Adam(0.01)"),
        ("learning_rate", "optimizer=st.Adam(0.01)"),
        ("tol", "stop=st.stop.GradientNorm(...)"),
        ("patience", "stop=st.stop.NoImprovement(...)"),
        ("alpha", "st.LeastSquares(X, y, alpha=...)"),
        ("seed", "random_state=..."),
        ("x0", "w0=..."),
        ("method", "optimizer=..."),
        ("callback", "callbacks=..."),
        ("verbose", "progress=True"),
        ("batchsize", "batch_size=..."),  # a typing error
        ("max_epoch", "max_epochs=..."),
    ],
)
def test_minimize_says_what_the_argument_is_called(name, hint):
    with pytest.raises(TypeError) as caught:
        st.minimize(OBJECTIVE, **{name: 3})
    message = str(caught.value)
    assert message.startswith(f"minimize() got an unexpected keyword argument '{name}'; use ")
    assert message.endswith(hint)


def test_an_argument_like_no_other_is_refused_without_a_hint():
    with pytest.raises(TypeError, match=r"^minimize.. got an unexpected keyword argument 'zzz'$"):
        st.minimize(OBJECTIVE, zzz=3)


def test_the_signature_stays_and_no_hint_hides_a_parameter():
    parameters = inspect.signature(st.minimize).parameters
    assert list(parameters)[:3] == ["objective", "w0", "optimizer"]
    assert all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    assert pickle.loads(pickle.dumps(st.minimize)) is st.minimize
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'objective'"):
        st.minimize()


def test_hints_stand_before_names_that_are_near():
    @hinting(epochs="max_epochs=...")
    def run(epoch_size=0):
        return epoch_size

    assert run(epoch_size=3) == 3
    with pytest.raises(TypeError, match=r"use max_epochs=\.\.\.$"):
        run(epochs=3)
