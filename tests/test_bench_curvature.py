"""The benchmark of what curvature predicts."""

from __future__ import annotations

import dataclasses
import json

import pytest

import bench_curvature
import steepest as st


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    out = tmp_path_factory.mktemp("curvature") / "out.json"
    assert bench_curvature.main(["--quick", "--only", "diabetes", "--json", str(out)]) == 0
    return json.loads(out.read_text())["rows"]


def test_measured_steps_are_within_a_factor_of_two_of_the_predicted_ones(rows):
    measured = [row for row in rows if row.get("p / m")]
    assert len(measured) >= 2
    assert all(0.5 <= row["p / m"] <= 2.0 for row in measured)
    assert {row["data"] for row in measured} == {"diabetes, raw", "diabetes, standardised"}


def test_standardising_takes_the_condition_number_down(rows):
    condition = {row["data"]: row["condition"] for row in rows if "condition" in row}
    assert condition["diabetes, raw"] > 50 * condition["diabetes, standardised"]


def test_rates_left_to_the_curvature_arrive(rows):
    left = [row for row in rows if "auto" in row["case"]]
    assert len(left) == len(bench_curvature.RULES)
    assert all(row["|gradient|"] <= bench_curvature.GRADIENT_NORM for row in left)


def test_a_wrong_spectrum_is_refused(monkeypatch, capsys):
    right = st.curvature

    def wrong(objective, w):
        found = right(objective, w)
        return dataclasses.replace(found, eigenvalues=found.eigenvalues * 1.001)

    monkeypatch.setattr(st, "curvature", wrong)
    assert bench_curvature.main(["--quick", "--only", "diabetes"]) == 1
    assert "answer check failed" in capsys.readouterr().err
