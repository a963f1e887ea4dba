"""Model files of models with offsets, factors of penalties, bounds, and penalties that cross-validation chose."""

from __future__ import annotations

import json

import numpy as np
import pytest

import steepest as st

pytest.importorskip("sklearn")
pandas = pytest.importorskip("pandas")
pytest.importorskip("click")


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X, offset = rng.standard_normal((n, 3)), 0.6 * rng.standard_normal(n)
    return X, X @ [0.5, -0.3, 0.2] + 0.4 + offset, offset, rng


def saved(model, tmp_path):
    st.save_model(model, tmp_path / "model.json")
    return st.load_model(tmp_path / "model.json")


def test_a_model_with_an_offset_still_needs_one(tmp_path):
    X, scores, offset, rng = table()
    y = rng.poisson(np.exp(scores)).astype(float)
    model = st.LinearRegressor(loss="poisson").fit(X, y, offset=offset)
    again = saved(saved(model, tmp_path), tmp_path)
    with pytest.raises(ValueError, match="offset must be given, as the model was fitted with one"):
        again.predict(X)
    np.testing.assert_array_equal(again.predict(X, offset=offset), model.predict(X, offset))
    assert "has_offset" in json.loads((tmp_path / "model.json").read_text())
    saved(st.LinearRegressor().fit(X, y), tmp_path).predict(X)
    assert "has_offset" not in json.loads((tmp_path / "model.json").read_text())


def test_the_command_line_does_not_predict_without_the_offset(tmp_path):
    from command_line import complaint, run

    X, scores, offset, _ = table()
    frame = pandas.DataFrame(X, columns=list("abc"))
    st.save_model(st.LinearRegressor().fit(frame, scores, offset=offset), tmp_path / "model.json")
    frame.assign(y=scores).to_csv(tmp_path / "table.csv", index=False)
    for command in (["predict"], ["evaluate", "--target", "y"]):
        name, *more = command
        found = run(name, tmp_path / "model.json", tmp_path / "table.csv", *more)
        assert "offset must be given, as the model was fitted with one" in complaint(found)


@pytest.mark.parametrize(
    "options",
    [
        {"penalty_weight": [0.0, 1.0, 2.0]},
        {"penalty_weight": np.array([0.0, np.inf, 2.0])},
        {"positive": True},
        {"penalty_weight": [1.0, 1.0, 1.0]},
    ],
    ids=["factors", "left out", "positive", "ones"],
)
def test_a_loaded_model_is_fitted_again_with_its_penalty_and_bounds(tmp_path, options):
    X, y, _, _ = table()
    model = st.LinearRegressor(alpha=0.5, **options).fit(X, y)
    again = saved(saved(model, tmp_path), tmp_path)
    np.testing.assert_array_equal(again.fit(X, y)[-1].coef_, model.coef_)


def test_names_of_factors_become_numbers(tmp_path):
    X, y, _, _ = table()
    frame = pandas.DataFrame(X, columns=list("abc"))
    model = st.LinearRegressor(alpha=0.5, penalty_weight={"b": 0, "c": np.inf}).fit(frame, y)
    again = saved(model, tmp_path)
    np.testing.assert_array_equal(again[-1].penalty_weight, [1.0, 0.0, np.inf])
    np.testing.assert_array_equal(again.fit(frame, y)[-1].coef_, model.coef_)


def test_a_penalty_that_cross_validation_chose_is_kept(tmp_path):
    X, y, _, _ = table()
    model = st.LinearRegressorCV(l1_ratio=[0.2, 0.9], n_alphas=5).fit(X, y)
    step = saved(model, tmp_path)[-1]
    assert (step.alpha, step.l1_ratio) == (model.alpha_, model.l1_ratio_)


@pytest.mark.parametrize("change", [{"has_offset": 1}, {"estimator": {"penalty_weight": ["much"]}}])
def test_changed_files_are_refused(tmp_path, change):
    X, y, _, _ = table()
    st.save_model(st.LinearRegressor().fit(X, y), tmp_path / "model.json")
    content = json.loads((tmp_path / "model.json").read_text()) | change
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=next(iter(change))):
        st.load_model(tmp_path / "model.json")
