"""The interactive pages of the documentation compute what the library computes, and are whole without a script."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import steepest as st
from steepest import reference

DOCS = Path(__file__).parents[1] / "docs"
PLAY = DOCS / "play"
PAGES = ("valley", "surface", "race")
each_page = pytest.mark.parametrize("page", PAGES)

# The same surfaces, written once more.
SURFACES = {
    "bowl": lambda x, y: 0.5 * x**2 + 1.5 * y**2,
    "ravine": lambda x, y: 0.5 * x**2 + 12.5 * y**2,
    "turned": lambda x, y: 0.25 * (x + y) ** 2 + 6.25 * (y - x) ** 2,
    "saddle": lambda x, y: 0.5 * x**2 - 0.5 * y**2 + 0.125 * y**4,
    "himmelblau": lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
}
# A rule of the pages with its settings there, and the same of the reference.
RULES = {
    "plain": ("gradientDescent", {}, reference.gradient_descent, {}),
    "momentum": ("momentum", {"momentum": 0.8}, reference.momentum, {"momentum": 0.8}),
    "Nesterov": (
        "momentum",
        {"momentum": 0.8, "nesterov": True},
        reference.momentum,
        {"momentum": 0.8, "nesterov": True},
    ),
    "AdaGrad": ("adagrad", {}, reference.adagrad, {}),
    "RMSProp": ("rmsprop", {"rho": 0.8}, reference.rmsprop, {"rho": 0.8}),
    "Adam": ("adam", {"beta1": 0.8, "beta2": 0.9}, reference.adam, {"beta1": 0.8, "beta2": 0.9}),
}


class Engine:
    """The scripts of the pages in an engine that has no page."""

    def __init__(self):
        pytest.importorskip("quickjs", reason='no engine for JavaScript: install quickjs-ng (the extra "test")')
        self.stills = runpy.run_path(str(PLAY / "stills.py"))
        self.context = self.stills["engine"]()

    def __call__(self, expression):
        """Return the value of an expression; infinities and NaN become None."""
        return json.loads(self.context.eval(f"JSON.stringify({expression})"))

    def page(self, page, function, **changes):
        """Call a function of a page with its initial state and some changes."""
        start = f"steepest.pages.{page}"
        return self(f"{start}.{function}({{...{start}.initial, ...{json.dumps(changes)}}})")


@pytest.fixture(scope="module")
def js():
    return Engine()


@pytest.mark.parametrize("name", RULES)
def test_rules_are_those_of_the_reference(js, name):
    """To the last digits: 1 - beta^t takes a power, which libraries round in their own way."""
    rule, settings, rule_here, settings_here = RULES[name]
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((40, 3)) * 10.0 ** rng.integers(-3, 4, (40, 3))
    gradients[:, 2] = 0.0  # such a coordinate does not move
    w, state, expected = np.array([1.0, -2.0, 3.0]), {}, []
    for t, gradient in enumerate(gradients, start=1):
        w, state = rule_here(w, gradient, state, t, 0.05, **settings_here)
        expected.append(w)
    got = js(f"""(() => {{
        let w = [1, -2, 3], t = 0;
        const state = {{}}, settings = {json.dumps({"rate": 0.05, **settings})};
        return {gradients.tolist()}.map((g) => (w = steepest.rules.{rule}(w, g, state, ++t, settings)));
    }})()""")
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_squares_that_overflow_give_nan_as_in_the_reference(js):
    with np.errstate(over="ignore"):
        w, _ = reference.adagrad([1.0], [1e200], {}, 1, 0.1)
    assert np.isnan(w).all()
    assert js("steepest.rules.adagrad([1], [1e200], {}, 1, { rate: 0.1 })") == [None]


@pytest.mark.parametrize("batch_size", [1, 3, 8, 31, 32])
@pytest.mark.parametrize("random_state", range(6))
def test_paths_are_those_of_minimize(js, batch_size, random_state):
    """In the order of rows that the library draws. Sums of rows round in their own way, by 1e-15 a step."""
    x, y = np.array(js("steepest.pages.valley.x")), np.array(js("steepest.pages.valley.y"))
    got = js(f"""steepest.descend(steepest.leastSquares({x.tolist()}, {y.tolist()}), "momentum",
        {{ rate: 0.05, momentum: 0.7 }}, [4.5, -1.5],
        {{ epochs: 5, batchSize: {batch_size}, randomState: {random_state} }})""")
    run = st.minimize(
        st.LeastSquares(x[:, None], y),
        np.array([4.5, -1.5]),
        st.Momentum(0.05, momentum=0.7),
        batch_size=batch_size,
        max_epochs=5,
        random_state=random_state,
        record_path=True,
        diagnose=False,
    )
    np.testing.assert_allclose(got, run.path, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_have_their_values_gradients_and_minima(js, name):
    assert set(js("Object.keys(steepest.surfaces)")) == set(SURFACES)
    f, here = SURFACES[name], f"steepest.surfaces.{name}"
    points = np.random.default_rng(1).uniform(-2, 2, (20, 2))
    np.testing.assert_allclose(js(f"{points.tolist()}.map({here}.value)"), f(*points.T), rtol=1e-12, atol=1e-12)
    h = 1e-6
    slopes = [(f(*(points + step).T) - f(*(points - step).T)) / (2 * h) for step in ([h, 0], [0, h])]
    np.testing.assert_allclose(
        js(f"{points.tolist()}.map({here}.gradient)"), np.transpose(slopes), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(js(f"{here}.minima.map({here}.gradient)"), 0, atol=1e-9)
    lowest = min(js(f"{here}.minima.map({here}.value)"))
    assert lowest <= f(*np.random.default_rng(2).uniform(-5, 5, (2, 10_000))).min() + 1e-12


@pytest.mark.parametrize("runner", range(6))
def test_runners_of_the_race_take_the_steps_of_the_library(js, runner):
    """On the turned ravine, with the rates that the page begins with."""
    key, rate = js(f"[steepest.pages.race.runners[{runner}].key, steepest.pages.race.runners[{runner}]]")
    state = js("steepest.pages.race.initial")
    rate = float(f"{10 ** state[f'log_{key}']:.3g}")
    optimizer = {
        "plain": st.GradientDescent(rate),
        "momentum": st.Momentum(rate, momentum=0.9),
        "nesterov": st.Momentum(rate, momentum=0.9, nesterov=True),
        "adagrad": st.AdaGrad(rate),
        "rmsprop": st.RMSProp(rate),
        "adam": st.Adam(rate),
    }[key]
    H = np.array([[13.0, -12.0], [-12.0, 13.0]])
    start = np.array(js("steepest.surfaces.turned.start"))
    turned = st.Function(lambda w: (w @ H @ w / 2, H @ w), n_parameters=2)
    run = st.minimize(turned, start, optimizer, max_epochs=200, record_path=True, diagnose=False)
    got = js(f"""steepest.pages.race.path({{ ...steepest.pages.race.initial, surface: "turned" }},
        steepest.pages.race.runners[{runner}])""")
    # At a constant rate RMSProp circles the minimum in the end, which makes rounding grow from step to step.
    n = 61 if key == "rmsprop" else 201
    np.testing.assert_allclose(got[:n], run.path[:n], atol=1e-8)


def test_level_curves_lie_on_their_levels(js):
    """A straight cut through a cell of 0.1 misses a curve of this bowl by less than 0.01 in value."""
    data = js("""(() => {
        const { value, window } = steepest.surfaces.bowl;
        const scale = steepest.draw.scaleOf(window, { x: 0, y: 0, width: 10000, height: 8000 });
        const grid = steepest.draw.survey(value, window, 101);
        return [2, 5].map((level) => steepest.draw.levelCurve(grid, level, scale));
    })()""")
    for level, path in zip((2, 5), data, strict=True):
        points = np.array(re.findall(r"([\d.]+) ([\d.]+)", path), dtype=float)
        assert len(points) > 100
        x, y = points[:, 0] / 1000 - 5, 4 - points[:, 1] / 1000
        np.testing.assert_allclose(SURFACES["bowl"](x, y), level, atol=0.01)


@each_page
def test_still_is_what_the_page_draws_first(js, page):
    """Run `python docs/play/stills.py` after a change of the scripts."""
    assert (PLAY / f"{page}.svg").read_text() == js.stills["still"](js.context, page)


@each_page
def test_page_needs_no_network_and_no_script(page):
    """Its scripts are files of the site, and a picture with a path and a text for readers stands before them."""
    text = (PLAY / f"{page}.md").read_text()
    html = re.sub(r"```\{raw\} html\n:file: (.*)\n```", lambda found: (PLAY / found[1]).read_text(), text)
    files = re.findall(r'(?:src|href)="\.\./_static/(.*?)"', html)
    assert files == [f"play/{name}" for name in ("play.css", "descent.js", "draw.js", f"{page}.js", "page.js")]
    for name in files:
        assert "http" not in (DOCS / "static" / name).read_text().lower()
        assert "import " not in (DOCS / "static" / name).read_text()
    assert "http" not in html
    assert html.index("<svg") < html.index('<path class="run') < html.index("<script")
    assert 'role="img" aria-label="' in html
    assert "Without scripts the page shows" in " ".join(html.split())


def test_what_the_valley_page_says(js):
    """Its bound, the best momentum at a rate of 0.1, and what smaller batches do."""
    x, y = np.array(js("steepest.pages.valley.x")), np.array(js("steepest.pages.valley.y"))
    curvature = st.curvature(st.LeastSquares(x[:, None], y), np.zeros(2))
    found = js("steepest.leastSquares(steepest.pages.valley.x, steepest.pages.valley.y).eigenvalues()")
    np.testing.assert_allclose(found, curvature.eigenvalues, rtol=1e-12)
    smallest, largest = curvature.eigenvalues
    text = (PLAY / "valley.md").read_text()
    assert f"{smallest:.3f}" in text
    assert f"{(1 - np.sqrt(0.1 * smallest)) ** 2:.2f}" == "0.65"
    assert "0.65 here" in text
    assert f"below a rate of {2 * 1.5 / largest:.3g}" in js.page("valley", "says", momentum=0.5)

    def end(**changes):
        found = re.search(r"ends (\S+) above", js.page("valley", "says", logRate=-1, **changes))
        return float(found[1])

    ends = {mu: end(momentum=mu) for mu in (0, 0.3, 0.5, 0.7, 0.9, 0.97)}
    assert min(ends, key=ends.get) == 0.7  # the nearest to 0.65
    assert end(momentum=0, size=0) < end(momentum=0)
    assert "diverges" in js.page("valley", "says", momentum=0, logRate=-0.3)


def test_what_the_surface_page_asks_has_an_answer(js):
    slow = np.array(js.page("surface", "path", logRate=-2))[-1]
    assert abs(slow[1]) < 0.1  # still on the ridge
    fast = np.array(js.page("surface", "path", logRate=-2, momentum=0.9))[-1]
    assert abs(fast[1] - np.sqrt(2)) < 0.01
    ends = [js.page("surface", "path", surface="himmelblau", logRate=lr, momentum=mu)[-1]
            for lr in (-2, -1.9, -1.8) for mu in (0, 0.8, 0.9)]  # fmt: skip
    assert len({tuple(np.sign(end)) for end in ends}) > 1
    banana = np.array(js.page("surface", "path", surface="rosenbrock", logRate=-3, momentum=0.95))[-1]
    np.testing.assert_allclose(banana, 1, atol=0.05)


def test_what_the_race_page_asks_has_an_answer(js):
    def arrivals(**changes):
        said = js.page("race", "says", step=200, **changes).split(": ")[1]
        return dict(re.findall(r"([A-Za-z][\w. ]*?) \(step (\d+)\)", said))

    ravine, turned = arrivals(), arrivals(surface="turned")
    same = {name for name in ravine if ravine[name] == turned.get(name)}
    assert same == {"plain", "momentum 0.9", "Nesterov 0.9"}
    assert "AdaGrad" in ravine
    assert "AdaGrad" not in arrivals(log_adagrad=-1)
    on_bowl = arrivals(surface="bowl", log_plain=np.log10(0.5))
    assert min(on_bowl, key=lambda name: int(on_bowl[name])) == "plain"
