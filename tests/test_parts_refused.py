"""What objectives over parts refuse, and errors of parts."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from parted_rows import D, K, N, both, in_parts, rows
from steepest.objectives.parts import Parts
from steepest.objectives.questions import HeldPart
from steepest.parts.local import LocalEngine


def test_an_l1_penalty_is_not_lost_beside_a_gradient_of_a_subclass():
    """The gradient leaves that penalty out, and steps in Python know the gradient alone."""

    class Own(st.LeastSquares):
        def value_and_gradient(self, w):
            return super().value_and_gradient(w)

    X, y, _ = rows("LeastSquares")
    with pytest.raises(TypeError, match=r"^objective must be without an L1 penalty if it has a value_and_gradient"):
        st.minimize(Own(X, y, alpha=0.1, l1_ratio=0.5), optimizer=st.Adam())
    assert st.minimize(Own(X, y, alpha=0.1), optimizer=st.Adam(), max_epochs=2).n_steps == 2


def test_what_needs_rows_is_refused():
    with pytest.raises(TypeError, match=r"^normal_equation needs an objective with rows in host memory"):
        st.normal_equation(both("LeastSquares")[0])
    with pytest.raises(TypeError, match=r"^y must be None for X in parts"):
        st.Logistic(in_parts(*rows("Logistic")), np.ones(N))
    with pytest.raises(TypeError, match=r"^sample_weight must be None for X in parts"):
        st.Logistic(in_parts(*rows("Logistic")), sample_weight=np.ones(N))


@pytest.mark.parametrize(
    ("loss", "wrong", "message"),
    [
        ("Logistic", 2.0, "labels 0 and 1 only, got 2.0"),
        ("Softmax", 3.0, "got 3"),
        ("Softmax", 1.5, "got 1.5"),
        ("Poisson", -1.0, "at least 0, got -1 in some row"),
    ],
)
def test_targets_of_every_part_are_checked(loss, wrong, message):
    X, y, weight = rows(loss)
    y[350] = wrong
    with pytest.raises(ValueError, match=message):
        getattr(st, loss)(in_parts(X, y, weight), **({"n_classes": K} if loss == "Softmax" else {}))


def test_parts_must_be_alike():
    X, y, weight = rows("LeastSquares")
    with pytest.raises(ValueError, match="same number of columns, got 5 and 4"):
        st.LeastSquares(Parts.of([(X, y), (X[:, :4].copy(), y)]))
    with pytest.raises(ValueError, match="all have weights or none"):
        st.LeastSquares(Parts.of([(X, y, weight), (X, y)]))
    with pytest.raises(ValueError, match="same dtype"):
        st.LeastSquares(Parts.of([(X, y), (X.astype(np.float32), y.astype(np.float32))]))


def test_an_error_of_a_part_reaches_the_caller():
    X, y, weight = rows("LeastSquares")
    held = HeldPart(0, X, y, weight)

    def broken(asked):
        if broken.works:
            return [held]
        raise OSError("the disk is gone")

    broken.works = True
    objective = st.LeastSquares(Parts(LocalEngine(1, broken)))
    broken.works = False
    for call in (lambda: objective.value(np.zeros(D + 1)), lambda: st.minimize(objective, optimizer=st.Adam(0.1))):
        with pytest.raises(OSError, match="the disk is gone"):
            call()
