"""bench_fit.py on sparse solutions: the reference with an L1 penalty, wide data, paths; and fits in other processes."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steepest as st
from interpreter import python

pytestmark = pytest.mark.slow  # other packages minimise the same objectives
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KINDS = [("lasso", True), ("l1-logistic", True), ("l1-logistic", False)]
# In a process of its own, as in bench_fit.py.
PATHS = """
import json, pickle, sys
sys.path.insert(0, sys.argv[3])
import fit_ladder, path_contenders
from pathlib import Path

problem = pickle.loads(Path(sys.argv[1]).read_bytes())
found = path_contenders.PEERS[sys.argv[2]](problem)
print(json.dumps({each.name: fit_ladder.timed(each, 40)[1].tolist() for each in found}))
"""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def problem_of(load: Callable[[str], Any], kind: str, intercept: bool, share: float, **changes: Any) -> Any:
    """Draw 50 rows of 120 columns, of which six count; alpha is a share of the strongest."""
    random = np.random.default_rng(5)
    X = random.standard_normal((50, 120)) + 0.3
    scores = X[:, :6] @ random.standard_normal(6) + 0.5 * random.standard_normal(50)
    y = scores + 2 if kind == "lasso" else np.asarray(scores > 0, np.float64)
    strongest = load("fit_problems").strongest(X, y, kind)
    return load("fit_reference").Problem(f"test/{kind}", X, y, kind, share * strongest, intercept, **changes)


# The reference


@pytest.mark.parametrize(("kind", "intercept"), KINDS)
@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_the_optimum_meets_the_conditions_of_a_minimum(
    load: Callable[[str], Any], kind: str, intercept: bool, share: float
) -> None:
    """Where w is 0 the loss's slope is at most alpha, elsewhere it is -alpha sign(w); the intercept's is 0."""
    problem = problem_of(load, kind, intercept, share)
    reference = load("l1_reference").L1Reference(problem)
    (w,), gap = reference.optimum()
    assert 0 <= gap <= 1e-12
    loss = st.reference.least_squares if kind == "lasso" else st.reference.logistic
    value, slope = loss(problem.X, problem.y, w)  # without a penalty
    assert reference.value(w[None]) == pytest.approx(value + problem.alpha * np.abs(w[:-1]).sum(), rel=1e-13)
    is_in = w[:-1] != 0
    assert 0 < is_in.sum() <= 50
    np.testing.assert_allclose(slope[:-1][is_in], -problem.alpha * np.sign(w[:-1][is_in]), atol=1e-7 * problem.alpha)
    assert np.abs(slope[:-1][~is_in]).max() <= problem.alpha * (1 + 1e-7)
    assert (abs(slope[-1]) < 1e-9) if intercept else (w[-1] == 0)


@pytest.mark.parametrize(("kind", "intercept"), KINDS)
def test_the_gap_bounds_what_an_answer_misses(load: Callable[[str], Any], kind: str, intercept: bool) -> None:
    problem = problem_of(load, kind, intercept, 0.1)
    reference = load("l1_reference").L1Reference(problem)
    lowest = reference.value(reference.optimum()[0])
    for change in (1e-6, 1e-3, 0.1):
        w = reference.optimum()[0][0] * (1 + change)
        _, value, gap = reference.certificate(problem.alpha, w)
        assert value == pytest.approx(reference.value(w[None]), rel=1e-14)
        if not intercept:  # else only where the intercept is the best one
            assert gap >= value - lowest > 0


def test_it_agrees_with_coordinate_descent_on_tall_data(load: Callable[[str], Any]) -> None:
    random = np.random.default_rng(6)
    X = random.standard_normal((300, 9)) * np.geomspace(0.1, 10, 9)
    y = X @ random.standard_normal(9) + random.standard_normal(300)
    problem = load("fit_reference").Problem("test", X, y, "lasso", 0.2)
    right, _ = load("fit_reference").Reference(problem).optimum()
    np.testing.assert_allclose(load("l1_reference").L1Reference(problem).optimum()[0], right, atol=1e-10)


def test_all_coefficients_are_zero_from_the_strongest_alpha_on(load: Callable[[str], Any]) -> None:
    for kind, intercept in (("lasso", True), ("l1-logistic", False)):
        for share, least in ((1.001, 0), (0.98, 1)):
            w, _ = load("l1_reference").L1Reference(problem_of(load, kind, intercept, share)).optimum()
            assert np.count_nonzero(w[0, :-1]) == least


def test_a_path_is_that_of_its_alphas(load: Callable[[str], Any]) -> None:
    module, wide = load("l1_reference"), problem_of(load, "lasso", True, 1.0)
    alphas = wide.alpha * np.geomspace(1, 0.05, 7)
    path = module.reference_of(problem_of(load, "lasso", True, 1.0, alphas=alphas))
    found, gap = path.optimum()
    assert gap <= 1e-12
    missed = path.suboptimality(found)
    assert missed(found) == 0
    for i, alpha in enumerate(alphas):
        single = module.L1Reference(problem_of(load, "lasso", True, alpha / wide.alpha))
        value = single.value(found[i : i + 1])
        assert value == pytest.approx(single.value(single.optimum()[0]), rel=1e-11)
        worse = found.copy()
        worse[i, 3] += 0.1
        constant = single.value(single.best_constant())
        assert missed(worse) == pytest.approx((single.value(worse[i : i + 1]) - value) / constant, rel=1e-6)
    worse[2] = np.nan
    assert missed(worse) == np.inf


# The cases


def test_wide_data_have_few_true_columns(load: Callable[[str], Any]) -> None:
    module = load("fit_problems")
    problem = module.wide("x", "l1-logistic", (400, 900), 0.1)
    assert (problem.X.dtype, problem.X.shape, problem.intercept) == (np.float64, (400, 900), False)
    assert set(np.unique(problem.y)) == {0.0, 1.0}
    strongest = np.sort(np.abs((problem.y - 0.5) @ problem.X) / 400)[::-1]
    assert problem.alpha == pytest.approx(strongest[0] / 10)
    alphas = module.path(module.wide("x", "lasso", (60, 90), 0.1)).alphas
    assert len(alphas) == 100
    assert alphas[0] / alphas[-1] == pytest.approx(20)


def test_quick_run_of_wide_data(load: Callable[[str], Any], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    case = ["--only", "wide/60x150/lasso/0.1", "--contender", "ours", "--budget", "0.1"]
    assert load("bench_fit").main(["--quick", *case, "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert rows[0]["contender"] == "ours"
    assert -1e-12 <= rows[0]["reached"] < 1  # the reference is exact to rounding only


def test_a_path_needs_our_own(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(st, "path", raising=False)
    monkeypatch.setattr(load("fit_problems"), "st", type("Older", (), {}))
    assert load("bench_fit").main(["--quick", "--only", "path/60x150"]) == 1
    assert "path/60x150: not run, missing: steepest.path" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["sklearn", "celer", "skglm", "adelie", "glum"])
def test_every_peer_follows_the_same_path(load: Callable[[str], Any], tmp_path: Path, package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is missing")
    wide = problem_of(load, "lasso", True, 1.0)
    problem = problem_of(load, "lasso", True, 1.0, alphas=wide.alpha * np.geomspace(1, 0.05, 10))
    (tmp_path / "problem").write_bytes(pickle.dumps(problem))
    done = python(PATHS, tmp_path / "problem", package, BENCHMARKS)
    assert done.returncode == 0, done.stderr
    reference = load("l1_reference").reference_of(problem)
    missed = reference.suboptimality(reference.optimum()[0])
    for name, w in json.loads(done.stdout.splitlines()[-1]).items():
        assert -1e-12 <= missed(np.asarray(w)) <= 1e-5, name


def test_our_path_is_the_right_one(load: Callable[[str], Any]) -> None:
    if not hasattr(st, "path"):
        pytest.skip("this version has no st.path")
    wide = problem_of(load, "lasso", True, 1.0)
    problem = problem_of(load, "lasso", True, 1.0, alphas=wide.alpha * np.geomspace(1, 0.05, 10))
    reference = load("l1_reference").reference_of(problem)
    missed = reference.suboptimality(reference.optimum()[0])
    (own,) = load("path_contenders").ours(problem)
    assert -1e-12 <= missed(own.fit(32)) <= 1e-6


# Processes


def contenders(problem: Any) -> list[Any]:
    """Make two contenders: one returns its process and the sum of X, the other dies at its third fit."""
    contender, calls = importlib.import_module("fit_contenders").Contender, []

    def die(effort: int) -> Any:
        calls.append(effort)
        if effort > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.ones((1, 2))

    return [
        contender("quiet", lambda effort: np.array([[os.getpid(), problem.X.sum()]])),
        contender("mortal", die),
    ]


def test_each_contender_has_a_process_and_the_problem(load: Callable[[str], Any]) -> None:
    problem = problem_of(load, "lasso", True, 0.1)
    quiet, mortal = load("fit_contenders").made_by(contenders, problem)
    with load("fit_processes").hosts(problem, together=False) as start:
        own = start(quiet)
        _, ((process, total),) = own.ask("timed", 1)
        assert process != os.getpid()
        assert total == problem.X.sum()
        found = load("bench_fit").attempt(mortal, lambda w: 0.5, 60.0, start)
        assert own.ask("timed", 1)[1][0, 0] == process
    assert found.reason == "its process died: SIGKILL"
    assert [fit.effort for fit in found.fits] == [1]
    with load("fit_processes").hosts(problem, together=True) as start:
        assert start(quiet).ask("timed", 1)[1][0, 0] == os.getpid()


def test_the_problem_in_the_process_is_the_same(load: Callable[[str], Any], tmp_path: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    made = f"{__name__}:contenders"
    for X in (np.asfortranarray(np.arange(6.0).reshape(2, 3)), sparse.csr_matrix(np.eye(3, dtype=np.float32))):
        problem = load("fit_reference").Problem("x", X, np.ones(len(X.shape)), "lasso", alphas=np.ones(2))
        (tmp_path / "problem").write_bytes(pickle.dumps(problem))
        fitter = load("fit_processes").remade(tmp_path / "problem", made, "quiet")
        assert fitter.timed(1)[1][0, 1] == X.sum()
