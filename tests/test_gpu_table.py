"""The table of docs/gpu.md says what is there on a device and what is missing: each line is tried."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import steepest as st
from device_arrays import csr_on_device, on_device
from steepest.objectives import column_statistics
from test_cuda_sparse import rows_of

PAGE = Path(__file__).parents[1] / "docs" / "gpu.md"
ROWS = rows_of(40, 3)
X, Y = ROWS.toarray(), np.round(np.abs(np.sin(np.arange(40.0))))
SCALED = {"centre": np.full(3, 0.1), "scale": np.full(3, 2.0)}
FITTED = st.LogisticClassifier().fit(X, Y)
MISSING = (NotImplementedError, TypeError, ValueError)


class Case:
    """Dense rows, or sparse ones, on a device, and what is made of them."""

    def __init__(self, sparse):
        self.X, self.y = csr_on_device(ROWS) if sparse else on_device(X), on_device(Y)
        self.w = on_device(np.zeros(4))

    def logistic(self, **options):
        return st.Logistic(self.X, self.y, **options)

    def run(self, optimizer=None, of=None, **options):
        options = {"max_epochs": 2, "diagnose": False, **options}
        return st.minimize(self.logistic(alpha=0.1) if of is None else of, optimizer=optimizer, **options)


def default(case):
    asked, runner = [], st.QuasiNewton.runner
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st.QuasiNewton, "runner", lambda self, *given: asked.append(1) or runner(self, *given))
        case.run()
    if not asked:
        raise NotImplementedError
    case.run(st.QuasiNewton())


def both(*calls):
    """Calls of which all must work, or none."""

    def call(case):
        worked = []
        for each in calls:
            try:
                each(case)
                worked.append(True)
            except MISSING as error:
                worked.append(False)
                missing = error
        assert len(set(worked)) == 1, f"not all alike: {worked}"
        if not worked[0]:
            raise missing

    return call


def softmax(case):
    objective, w = st.Softmax(case.X, case.y, alpha=0.1), on_device(np.zeros((2, 4)))
    objective.value_and_gradient(w)
    objective.hessian_product(w, w)
    case.run(of=objective)
    case.run(st.Adam(), objective)


TRIES = {
    "value, gradient, hessian_product": lambda c: (
        c.logistic().value_and_gradient(c.w), c.logistic().hessian_product(c.w, c.w)
    ),
    "hessian": lambda c: c.logistic().hessian(c.w),
    "minimize by an update rule over all rows": lambda c: c.run(st.Adam()),
    "minimize by mini-batches": lambda c: c.run(st.Adam(), batch_size=8, random_state=0),
    "QuasiNewton, the default over all rows": default,
    'learning_rate="auto"': lambda c: c.run(st.GradientDescent("auto")),
    "curvature, taylor": both(
        lambda c: st.curvature(c.logistic(), c.w), lambda c: st.taylor(c.logistic(), c.w)
    ),
    "statistics of the columns": both(
        lambda c: column_statistics(c.X), lambda c: c.logistic().column_statistics()
    ),
    "centre and scale, penalty_weight": both(
        lambda c: c.run(of=c.logistic(**SCALED)),
        lambda c: c.run(of=c.logistic(alpha=0.1, penalty_weight=np.array([0.0, 1.0, 2.0]))),
    ),
    "Box, Simplex": both(
        lambda c: c.run(st.GradientDescent(0.1), constraint=st.Box(0, 1)),
        lambda c: c.run(st.GradientDescent(0.1), constraint=st.Simplex()),
    ),
    "mini-batches with centre and scale": lambda c: c.run(st.Adam(), c.logistic(**SCALED), batch_size=8),
    "mini-batches with Box or Simplex": lambda c: c.run(
        st.GradientDescent(0.1), constraint=st.Box(0, 1), batch_size=8
    ),
    "starts": lambda c: c.run(st.Adam(), starts=2, random_state=0),
    "path": lambda c: st.path(c.logistic(), n_alphas=5),
    "offset": lambda c: c.logistic(offset=on_device(np.zeros(40))),
    "Softmax: value, gradient, hessian_product, minimize over all rows": softmax,
    "Softmax: mini-batches": lambda c: c.run(st.Adam(), st.Softmax(c.X, c.y), batch_size=8),
    "find_learning_rate": lambda c: st.find_learning_rate(c.logistic(), st.Adam(), random_state=0),
    "checkpoint": lambda c: c.run(checkpoint="never-written"),
    "normal_equation": lambda c: st.normal_equation(st.LeastSquares(c.X, c.y)),
    "fit of estimators": lambda c: st.LogisticClassifier().fit(c.X, c.y),
    "predict and score of fitted estimators": both(
        lambda c: FITTED.predict_proba(c.X), lambda c: FITTED.score(c.X, c.y)
    ),
    "pickling an objective": lambda c: pickle.dumps(c.logistic()),
}  # fmt: skip


def table():
    """The lines of the table: what each is about, and what it says of dense and of sparse rows."""
    text = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"^\|(.*)\|$", text[text.index("| | dense X | CSR matrix |") :].split("\n\n")[0], re.MULTILINE)
    cells = [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines[2:]]
    return {name: said for name, *said in cells}


def test_every_line_is_tried():
    assert list(table()) == list(TRIES)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", TRIES)
def test_the_table_is_true(cuda, name, sparse):
    said = table()[name][sparse]
    assert re.match(r"(yes|no)\b", said)
    if said.startswith("yes"):
        TRIES[name](Case(sparse))
        return
    with pytest.raises(MISSING) as raised:
        TRIES[name](Case(sparse))
    if name != "QuasiNewton, the default over all rows":
        assert re.search(r"host|must|cannot|batch_size=None|dense", str(raised.value)), str(raised.value)
