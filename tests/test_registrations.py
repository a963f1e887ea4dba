"""A rule or a loss is registered in the list of its file; names, tables and messages follow from it."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, RULES
from steepest import _core, objectives, optimizers, reference
from steepest.objectives import data, losses
from steepest.optimizers import names, rules

RULE_CLASSES = [getattr(rules, name) for name in rules.__all__]
LOSS_CLASSES = [getattr(losses, name) for name in losses.__all__]


@pytest.mark.parametrize("rule", RULE_CLASSES)
def test_a_rule_is_public_and_tested(rule):
    assert rule is getattr(st, rule.__name__) is getattr(optimizers, rule.__name__)
    assert rule.__name__ in st.__all__
    assert rule.__name__ in optimizers.__all__
    assert rule in {row.optimizer for row in RULES}
    assert rule.offered_as
    assert set(rule.offered_as) <= set(names.OPTIMIZERS)


@pytest.mark.parametrize("loss", LOSS_CLASSES)
def test_a_loss_is_public_and_tested(loss):
    assert loss is getattr(st, loss.__name__) is getattr(objectives, loss.__name__)
    assert loss.__name__ in st.__all__
    assert loss.__name__ in objectives.__all__
    assert data.LOSSES[loss._loss] is loss
    assert LOSSES[loss._loss].objective is loss
    assert LOSSES[loss._loss].reference is getattr(reference, loss._loss)
    assert {loss._loss, f"{loss._loss}_hessian"} <= set(reference.__all__)


def test_every_function_of_the_reference_is_listed():
    for module in (reference.losses, reference.rules):
        made = {
            name
            for name, found in inspect.getmembers(module, inspect.isfunction)
            if found.__module__ == module.__name__ and not name.startswith("_")
        }
        assert made <= set(reference.__all__)


def test_the_losses_are_those_of_the_native_code():
    source = _core.dense_source(np.ones((2, 1)), np.zeros(2), None, 2.0)
    for name in data.LOSSES:
        scores = 2 if name == "softmax" else 1
        parameters = LOSSES[name].parameters if name in LOSSES else {}
        assert _core.Objective64(source, name, False, 0.0, 0.0, scores, parameters)
    with pytest.raises(ValueError, match="unknown loss"):
        _core.Objective64(source, "absent", False, 0.0, 0.0)


def test_errors_name_every_loss():
    with pytest.raises(ValueError, match="steps over some of its rows") as caught:
        st.minimize(st.Function(lambda w: (0.0, w), 1), np.zeros(1), st.Adam(), batch_size=2)
    *others, last = (loss.__name__ for loss in data.LOSSES.values())
    assert f"{', '.join(others)} and {last}" in str(caught.value)
    with pytest.raises(TypeError) as caught:
        st.minimize(3)
    assert all(loss.__name__ in str(caught.value) for loss in data.LOSSES.values())
