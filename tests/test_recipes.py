"""The recipes of docs/recipes.md: every block runs, and finds what another way finds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import steepest as st

PAGE = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
RECIPES = {
    title: "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    for title, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}
TITLES = {
    "sklearn": "Fit a linear model inside scikit-learn",
    "rates": "Rates: counts with an exposure",
    "penalties": "Columns of different kinds: penalties and signs",
    "columns": "A table with categories: ColumnTransformer",
    "categories": "Text and categories as they are",
    "errors": "Standard errors and tests",
    "targets": "Several targets at once",
    "text": "Text: sparse matrices",
    "folds": "The strength of the penalty: cross-validation",
    "rows": "A validation set, and rows as they come",
    "scipy": "SciPy's minimisers over our objective",
    "torch": "Our optimizer in a training loop of PyTorch",
    "numpy": "Our optimizer in a loop of your own",
}


def run(name):
    names = {}
    exec(RECIPES[TITLES[name]], names)
    return names


def test_every_recipe_has_its_test():
    assert list(RECIPES) == list(TITLES.values())


def test_a_linear_model_inside_scikit_learn():
    names = run("sklearn")
    np.testing.assert_allclose(names["ours"].coef_, names["theirs"].coef_, rtol=1e-4, atol=1e-5)


def test_rates_are_those_that_were_drawn():
    """The estimates lie within four standard errors, about 0.002 and 0.06, of the rates that drew the counts."""
    model = run("rates")["model"]
    assert abs(model.coef_[0] - 0.03) < 0.008
    assert abs(model.coef_[1] - 0.7) < 0.25
    assert abs(model.intercept_ + 4.0) < 0.5


def test_penalties_and_signs():
    names = run("penalties")
    kept, signs = names["kept"].coef_, names["signs"].coef_
    assert kept[3] == 0.0
    assert abs(kept[0] - 1.0) < 0.2
    assert (signs >= 0.0).all()
    assert signs[3] == 0.0


def test_a_column_transformer():
    search = run("columns")["search"]
    assert search.best_params_ == {"linearregressor__alpha": 1e-4}
    assert search.best_score_ > 0.9
    model = search.best_estimator_[-1]
    assert model.coef_.shape == (4,)
    assert model.coef_[2] == pytest.approx(3, abs=0.2)
    assert abs(model.coef_[3]) < 0.2


def test_standard_errors():
    names = run("errors")
    table = names["found"].to_frame()
    assert table["p_value"]["dose"] < 1e-6
    assert (table["p_value"][["age", "group=b"]] > 0.001).all()
    assert table["lower"]["dose"] < 0.9 < table["upper"]["dose"]
    assert names["robust"].covariance_type == "HC1"


def test_several_targets():
    names = run("targets")
    alone = st.LinearRegressor(alpha=0.01).fit(names["X"], names["Y"][:, 5])
    np.testing.assert_allclose(names["model"].coef_[5], alone.coef_, rtol=1e-8, atol=1e-9)


def test_text():
    names = run("text")
    assert 0 < names["model"].coef_.nnz <= 10  # the words of the two places
    assert names["pipeline"].score(names["texts"], names["places"]) > 0.95
    assert list(names["pipeline"].predict(["a gull in the wind", "rain on the moss"])) == ["sea", "wood"]
    assert names["online"].score(names["hashed"].transform(names["texts"]), names["places"]) > 0.95


def test_text_and_categories_as_they_are(capsys):
    names = run("categories")
    assert capsys.readouterr().out.startswith("area 0.2\ndistrict=hill 3.1\ndistrict=old town")
    model, result = names["model"], names["result"]
    np.testing.assert_allclose(result.w, np.append(model.coef_, model.intercept_), rtol=1e-5, atol=1e-6)


def test_the_strength_of_the_penalty():
    names = run("folds")
    assert np.count_nonzero(names["plain"].coef_) <= np.count_nonzero(names["ours"].coef_)
    assert names["plain"].alpha_ > names["ours"].alpha_


def test_a_validation_set_and_rows_as_they_come():
    names = run("rows")
    validation_loss = names["model"].history_["validation_loss"]
    probabilities = names["model"].predict_proba(names["X"][4000:])
    right = probabilities[np.arange(1000), (names["y"][4000:] == "yes").astype(int)]
    assert -np.log(right).mean() == pytest.approx(validation_loss.min(), rel=1e-6)
    assert names["model"].stop_reason_ == "NoImprovement"
    assert names["online"].score(names["X"][4000:], names["y"][4000:]) > 0.8


def test_scipy_finds_the_minimum_of_our_objective():
    names = run("scipy")
    assert names["found"].success
    assert np.linalg.norm(names["objective"].gradient(names["found"].x)) < 1e-6
    np.testing.assert_allclose(names["found"].x, names["newton"].x, atol=1e-5)
    ours = st.LogisticClassifier(alpha=1e-3).fit(names["X"], names["y"])
    np.testing.assert_allclose(np.append(ours.coef_, ours.intercept_), names["newton"].x, atol=1e-5)


def test_a_network_of_torch_learns_as_with_its_own_optimizer():
    torch = pytest.importorskip("torch")
    names = run("torch")
    torch.manual_seed(0)
    X = torch.randn(200, 4)
    model = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    assert torch.equal(X, names["X"])
    for _ in range(100):
        loss = torch.nn.functional.mse_loss(model(X), names["y"])
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert names["losses"][-1] < 0.05 * names["losses"][0]
    assert names["losses"][-1] == pytest.approx(loss.item(), rel=0.05)


def test_a_loop_in_numpy_factorises_a_matrix():
    names = run("numpy")
    np.testing.assert_allclose(names["left"] @ names["right"], names["table"], atol=1e-6)
