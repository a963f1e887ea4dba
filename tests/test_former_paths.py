"""Pickles of version 0.1 name classes by the modules that they were in then; they load all the same."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import steepest as st

# The paths in pickles that version 0.1 made of what users can hold: fitted estimators, results, objectives, settings.
PATHS = [
    "closed_form ClosedForm",
    "columns Columns",
    "constraints Box",
    "constraints Simplex",
    "curvature Curvature",
    "diagnosis Diagnosis",
    "grid GridSearch",
    "objectives LeastSquares",
    "objectives Logistic",
    "optimizers AdaGrad",
    "optimizers Adam",
    "optimizers GradientDescent",
    "optimizers Momentum",
    "optimizers RMSProp",
    "quasi_newton QuasiNewton",
    "result Result",
    "schedules Constant",
    "schedules CosineDecay",
    "softmax Softmax",
    "stopping GradientNorm",
    "stopping NoImprovement",
    "taylor Taylor",
    "tuning LearningRateCurve",
]


def by_name(path):
    """The pickle of a class, which holds its name alone."""
    module, name = path.split()
    return f"csteepest.{module}\n{name}\n.".encode()


@pytest.mark.parametrize("path", PATHS)
def test_a_former_path_leads_to_the_class(path):
    assert pickle.loads(by_name(path)).__name__ == path.split()[1]


def test_a_process_that_has_not_imported_steepest_finds_them():
    pickles = [by_name(path) for path in PATHS]
    code = f"import pickle\nprint([pickle.loads(each).__name__ for each in {pickles!r}])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == repr([path.split()[1] for path in PATHS])


def test_a_former_module_is_imported_and_used_by_its_name():
    import steepest.stopping

    assert steepest.stopping.Progress is st.Progress
    assert callable(st.curvature)
    assert callable(st.taylor)


def test_schedules_are_imported_by_the_name_that_users_know():
    from steepest.schedules import CosineDecay

    assert st.schedules.CosineDecay is CosineDecay
