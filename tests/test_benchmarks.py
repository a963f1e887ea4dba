"""The benchmark scripts run, write JSON, name missing peers, and print no time for a wrong answer."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steepest as st
from steepest import _core
from storages import NARROW

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
QUICK = {
    "bench_gradient": ["--only", "logistic/float32/257x9"],
    "bench_softmax": ["--only", "float32/257x9x3/C"],
    "bench_update": ["--only", "Adam/float32/33", "--together"],
    "bench_epoch": ["--only", "GradientDescent/32", "--rows", "500"],
    "bench_closed_form": ["--only", "10/200x8"],
}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Import a module of `benchmarks/` by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def no_peers(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    """Let no peer be found: quick, and the same on every machine."""
    monkeypatch.setattr(load("harness"), "peer", lambda name: None)


@pytest.mark.usefixtures("no_peers")
@pytest.mark.parametrize("name", QUICK)
def test_quick_run_prints_a_table_and_writes_json(
    name: str, load: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert load(name).main(["--quick", "--repeats", "1", *QUICK[name], "--json", str(out)]) == 0
    written, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert written["rows"]
    assert len([line for line in printed.splitlines() if line.startswith("|")]) == 2 + len(written["rows"])
    assert {"date", "processor", "memory", "system", "steepest", "numpy", "OPENBLAS_CORETYPE"} <= set(
        written["machine"]
    )
    for row in written["rows"]:
        assert row["ours"] > 0
        assert row["NumPy"] > 0
        assert row["x NumPy"] > 0
        assert np.isfinite(row["error"])
    if name not in ("bench_gradient", "bench_softmax"):
        missing = "sklearn" if name == "bench_closed_form" else "torch"
        assert f"- {missing}: missing" in printed
        assert written["rows"][0][missing] is None


def test_updates_are_timed_in_processes_of_their_own(load: Callable[[str], Any], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    options = ["--quick", "--repeats", "2", "--only", "Momentum(nesterov)/float32/33", "--json", str(out)]
    assert load("bench_update").main(options) == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert {"ours", "numpy"} <= set(row["seconds"])
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in row["seconds"].values())
    assert row["error"] < 1e-4


def test_partial_fit_is_timed_against_sgd_classifier(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, options = load("bench_partial_fit"), ["--quick", "--repeats", "1", "--only", "gradient-descent/float64"]
    assert bench.main(options) == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[3].strip() for row in rows[1:]] == ["1", "50"]
    assert all(float(row[7]) > 0 and float(row[8]) < 1e-12 for row in rows[1:])
    monkeypatch.setattr(bench, "RATE", 1e-3 * (1 + 1e-9))
    right = bench.ours
    monkeypatch.setattr(bench, "ours", lambda rule: right(rule).set_params(learning_rate=1e-3))
    assert bench.main(options) == 1


def test_small_fits_are_timed_against_scikit_learn(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    bench, out = load("bench_small_fit"), tmp_path / "times.json"
    options = ["--quick", "--repeats", "1", "--json", str(out), "--only", "iris", "--only", "diabetes*"]
    assert bench.main(options) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [(row["case"], row["peer"]) for row in rows] == [
        ("iris", "lbfgs"),
        ("iris", "newton-cholesky"),
        ("diabetes", "LinearRegression"),
        ("diabetes/ridge", "Ridge"),
    ]
    assert all(row["x"] > 0 and row["error"] <= 1e-8 for row in rows)
    ended_early = functools.partial(st.LogisticClassifier, tol=1e-3)
    monkeypatch.setattr(bench.st, "LogisticClassifier", ended_early)
    assert bench.main(["--quick", "--repeats", "1", "--only", "iris"]) == 1


def test_ensembles_of_small_fits_are_timed(load: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    options = ["--quick", "--repeats", "1", "--only", "search/*", "--only", "bagging/*"]
    assert load("bench_small_fit").main(options) == 0
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]) == 1 + 4


@pytest.mark.slow
def test_streams_are_timed(load: Callable[[str], Any], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    out = tmp_path / "times.json"
    assert load("bench_stream").main(["--quick", "--folder", str(tmp_path), "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    kinds = [f"pass/{kind}/{state}" for kind in ("npy", "parquet", "cache") for state in ("cold", "warm")]
    assert sorted(row["case"] for row in rows) == sorted([*kinds, "epoch/npy/warm"])
    assert [path.name for path in tmp_path.iterdir()] == ["times.json"]  # the files are deleted


@pytest.mark.slow
def test_engines_are_timed(load: Callable[[str], Any], tmp_path: Path) -> None:
    pytest.importorskip("mpi4py")
    pytest.importorskip("distributed")
    out = tmp_path / "times.json"
    options = ["--quick", "--processes", "1", "2", "--only", "/tiny/", "--json", str(out)]
    assert load("bench_distributed").main(options) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["case"] for row in rows] == [f"{engine}/tiny/100/{n}" for engine in ("mpi", "dask") for n in (1, 2)]
    assert rows[0]["bits"] == rows[2]["bits"] != rows[1]["bits"] == rows[3]["bits"]


@pytest.mark.parametrize("name", QUICK)
def test_runs_as_a_script_with_the_peers_installed_here(name: str) -> None:
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--quick", "--repeats", "1", *QUICK[name]]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("# ")


def spoil_gradient(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    right = st.Logistic.value_and_gradient
    monkeypatch.setattr(
        st.Logistic, "value_and_gradient", lambda self, w: (right(self, w)[0], right(self, w)[1] * 1.001)
    )


def spoil_product(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    right = st.Logistic.hessian_product
    monkeypatch.setattr(st.Logistic, "hessian_product", lambda self, w, v: right(self, w, v) * 0.999)


def spoil_read(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    right = _core.read_sum
    monkeypatch.setattr(_core, "read_sum", lambda X: right(X[: len(X) // 2]))


def spoil_step(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    monkeypatch.setattr(st.Adam, "step", lambda self, w, g: np.subtract(w, 0.01 * g, out=w))


def spoil_fit(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    def wrong(*args: Any, **kwargs: Any) -> Any:
        result = right(*args, **kwargs)
        return dataclasses.replace(result, w=result.w * 1.001)

    right = st.minimize
    monkeypatch.setattr(st, "minimize", wrong)


def spoil_peer(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    monkeypatch.setattr(load("bench_epoch"), "numpy_loop", lambda X, y, order, batch, rule: np.zeros(X.shape[1] + 1))


def spoil_closed_form(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> None:
    def wrong(objective: Any) -> Any:
        found = right(objective)
        return dataclasses.replace(found, w=found.w * (1 + 1e-6))

    right = st.normal_equation
    monkeypatch.setattr(st, "normal_equation", wrong)


@pytest.mark.usefixtures("no_peers")
@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("bench_gradient", spoil_gradient, "gradient"),
        ("bench_gradient", spoil_product, "Hessian product"),
        ("bench_gradient", spoil_read, "read_sum"),
        ("bench_update", spoil_step, "ours"),
        ("bench_epoch", spoil_fit, "ours"),
        ("bench_epoch", spoil_peer, "NumPy"),
        ("bench_closed_form", spoil_closed_form, "ours"),
        ("bench_closed_form", spoil_fit, "heavy ball"),
    ],
)
def test_a_wrong_answer_gets_no_time(
    name: str,
    spoil: Callable[[pytest.MonkeyPatch, Callable[[str], Any]], None],
    reason: str,
    load: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(monkeypatch, load)
    out = tmp_path / "out.json"
    assert load(name).main(["--quick", *QUICK[name], "--json", str(out)]) == 1
    printed = capsys.readouterr()
    assert not [line for line in printed.out.splitlines() if line.startswith("|")]
    assert "answer check failed" in printed.err
    assert reason in printed.err
    assert not out.exists()


@pytest.mark.usefixtures("no_peers")
@pytest.mark.parametrize("name", QUICK)
def test_a_filter_that_matches_nothing_is_an_error(
    name: str, load: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(name).main(["--quick", "--only", "no such case"]) == 1
    assert "no such case" in capsys.readouterr().err


@pytest.mark.usefixtures("no_peers")
def test_narrow_data_are_compared_with_float32(load: Callable[[str], Any], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    storages = [argument for name in NARROW for argument in ("--storage", name)]
    options = ["--quick", "--repeats", "1", *storages, "--only", "logistic/*/64x33", "--json", str(out)]
    assert load("bench_gradient").main(options) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [(row["dtype"], row["order"]) for row in rows] == [(s, o) for s in NARROW for o in "CF"]
    assert all(row["x float32"] > 0 for row in rows)


@pytest.mark.usefixtures("no_peers")
def test_memory_is_a_share_of_the_data(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script, out = load("bench_gradient"), tmp_path / "out.json"
    monkeypatch.setattr(script, "MEASURABLE", 0)
    assert script.main(["--quick", "--repeats", "1", *QUICK["bench_gradient"], "--json", str(out)]) == 0
    for row in json.loads(out.read_text())["rows"]:
        assert row["fit +%"] is None or row["fit +%"] >= 0


def test_peak_extra_sees_memory_that_is_freed_again(load: Callable[[str], Any]) -> None:
    size = 64 << 20
    extra = load("harness").peak_extra(lambda: np.ones(size, dtype=np.uint8))
    if extra is None:
        pytest.skip("this kernel does not let a process reset its peak memory")
    assert extra > 0.9 * size


def test_ratios_are_paired_before_the_median(load: Callable[[str], Any]) -> None:
    times = load("harness").Times({"slow 1": [2.0, 40.0, 6.0], "slow 2": [9.0, 9.0, 9.0], "fast": [1.0, 10.0, 3.0]})
    assert times.ratio("slow 1", "fast") == 2.0
    assert times.best("slow") == "slow 1"
    assert times.best("absent") is None


def test_contenders_are_interleaved_and_the_order_alternates(load: Callable[[str], Any]) -> None:
    def contender(name: str) -> Callable[[], float]:
        def measure() -> float:
            calls.append(name)
            return 1.0

        return measure

    harness, calls = load("harness"), list[str]()
    options = harness.arguments("", "").parse_args(["--quick", "--repeats", "2"])
    times = harness.interleave({name: contender(name) for name in ("a", "b")}, options)
    assert times.seconds == {"a": [1.0, 1.0], "b": [1.0, 1.0]}
    assert calls == ["a", "b", "b", "a"]


@pytest.mark.parametrize("condition", [10.0, 1e4])
def test_the_problem_of_the_closed_form_has_its_spectrum(condition: float, load: Callable[[str], Any]) -> None:
    problem = load("bench_closed_form").draw(300, 20, condition)
    objective = st.LeastSquares(problem.X, problem.y, intercept=False)
    eigenvalues = np.linalg.eigvalsh(objective.hessian(problem.minimum))
    np.testing.assert_allclose(eigenvalues[::-1], np.geomspace(1, 1 / condition, 20), rtol=1e-9)
    assert np.abs(objective.gradient(problem.minimum)).max() < 1e-12
    at_start = objective.value(np.zeros(20)) - objective.value(problem.minimum)
    assert problem.excess == pytest.approx(at_start, rel=1e-9)


@pytest.mark.parametrize(
    ("ratios", "sentence"),
    [
        ([4.0, 2.0, 1.5], "is slower at every d measured (10 to 1000)"),
        ([0.5, 0.2, 0.1], "is faster at every d measured (10 to 1000)"),
        ([10.0, 1.5, 1 / 1.5], "crosses at about d = 316 (slower, faster beyond)"),
        ([0.1, 10.0, 0.1], "crosses at about d = 32, then about d = 316 (faster, slower beyond)"),
    ],
)
def test_a_crossing_in_words(ratios: list[float], sentence: str, load: Callable[[str], Any]) -> None:
    columns = [1000, 10, 100]  # in any order
    rows = [{"condition": 10.0, "n": 5, "d": d, "x heavy ball": ratios[sorted(columns).index(d)]} for d in columns]
    assert load("closed_form_picture").crossing(rows, 10.0, 5, "heavy ball") == sentence


@pytest.mark.usefixtures("no_peers")
def test_the_closed_form_is_drawn(
    load: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("matplotlib.image")
    out = tmp_path / "picture.png"
    assert load("bench_closed_form").main(["--quick", "--repeats", "1", "--picture", str(out)]) == 0
    assert image.imread(out).std() > 0.01
    assert capsys.readouterr().out.count("condition 10, ") == 4


def test_the_picture_shows_every_ratio_and_crossing(load: Callable[[str], Any]) -> None:
    pytest.importorskip("matplotlib")
    rows = [
        {"condition": condition, "n": 50, "d": d, "x heavy ball": ball, "x gradient descent": 300 * ball}
        for condition, ratios in ((10.0, (3.0, 0.02)), (1e4, (900.0, 40.0)))
        for d, ball in zip((10, 100), ratios, strict=True)
    ]
    well, ill = load("closed_form_picture").figure_of(rows).axes
    assert [ax.get_title() for ax in (well, ill)] == ["condition number 10", "condition number 10,000"]
    drawn = [[line for line in ax.get_lines() if line.get_marker() == "o"] for ax in (well, ill)]
    assert [list(line.get_ydata()) for line in drawn[0]] == [[3.0, 0.02], [900.0, 6.0]]
    low, high = ill.get_ylim()
    assert all(low < y < high for line in (*drawn[0], *drawn[1]) for y in line.get_ydata())
    marks = [[len(line.get_xdata()) for line in ax.get_lines() if line.get_marker() == "D"] for ax in (well, ill)]
    assert marks == [[1, 0], [0, 0]]


@pytest.mark.usefixtures("no_peers")
def test_codes_are_compared_with_columns_of_ones(
    load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scipy = pytest.importorskip("scipy.sparse")
    codes, find = load("bench_codes"), load("harness").peer
    monkeypatch.setattr(load("harness"), "peer", lambda name: scipy if name == "scipy.sparse" else find(name))
    try:
        codes.flights_frame()
    except ImportError as error:
        pytest.skip(str(error))
    assert codes.main(["--quick", "--repeats", "1", "--only", "flights/float64"]) == 0
    assert "glum: missing" in capsys.readouterr().out
    monkeypatch.setattr(codes, "expected", lambda problem: np.ones_like(problem.w))
    assert codes.main(["--quick", "--repeats", "1", "--only", "flights/float64"]) == 1
    assert "answer check failed, no time is printed: flights/float64, gradient, codes" in capsys.readouterr().err
