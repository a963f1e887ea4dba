r"""
Feature scaling
===============

**The question.** Why should features have the same scale, and what if they have not?

Features have units: minutes, miles, flight numbers. For least squares the Hessian is
:math:`\frac{2}{n} X^T X`, so a feature that is 1000 times as large curves the loss a
million times as much. The condition number
:math:`\kappa = \lambda_{\max} / \lambda_{\min}` becomes huge. So does the number of
steps of plain descent. To shrink the error by :math:`\varepsilon`, descent needs about
:math:`\frac{\kappa}{2} \ln \frac{1}{\varepsilon}` steps.

To standardise a column means to subtract its mean and to divide by its standard
deviation. This page standardises the columns of 81,837 real flights from New York.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

import steepest as st
from steepest.cli.encoding import TableEncoder
from steepest.cli.flights import load_flights

# %%
# The flights
# -----------
# The features are what is known when the aeroplane lands. Each carrier and airport but
# the first has a column of zeros and ones. The target is 1 if the flight was more than
# 15 minutes late, and 0 if not. Every fifth flight is kept back for testing.

flights = load_flights().frame[::4]
encoder = TableEncoder()
X = encoder.fit_transform(flights.drop(columns="late"))
y = flights["late"].to_numpy(dtype=float)
assert X.shape == (81_837, 28)

test_rows = np.arange(len(y)) % 5 == 0
X_train, y_train, X_test = X[~test_rows], y[~test_rows], X[test_rows]

# %%
# Raw
# ---
# ``st.curvature`` computes the eigenvalues of the Hessian. Printing its result shows
# what they mean. Here :math:`\kappa` is above :math:`10^{11}`. To shrink the error by a
# factor of a million, plain descent would need about a million times a million steps.

raw = st.curvature(st.LeastSquares(X_train, y_train), np.zeros(29))
print(raw)
assert 1e11 < raw.effective_condition_number < 2e11
assert 1.0e12 < raw.predicted_steps(1e-6) < 1.2e12

# %%
# The report also finds a flat direction, along which the loss does not change at all.
# It comes from the timetable. The scheduled departure is 100 times its hour plus its
# minute, and the hour and the minute are columns too.

columns = dict(zip(encoder.get_feature_names_out(), X_train.T, strict=True))
assert np.array_equal(
    columns["sched_dep_time"], 100 * columns["hour"] + columns["minute"]
)
assert raw.rank == 29 - 1

# %%
# Standardised
# ------------
# Mean and deviation come from the training rows alone. The same numbers scale the test
# rows. Scaling test rows by their own mean would use knowledge that nobody has about a
# new flight.

mean, deviation = X_train.mean(axis=0), X_train.std(axis=0)
Z_train, Z_test = (X_train - mean) / deviation, (X_test - mean) / deviation
np.testing.assert_allclose(Z_train.mean(axis=0), 0, atol=1e-11)
np.testing.assert_allclose(Z_train.std(axis=0), 1)
assert 0 < np.abs(Z_test.mean(axis=0)).max() < 0.02

scaled = st.curvature(st.LeastSquares(Z_train, y_train), np.zeros(29))
print(scaled)
assert 400 < scaled.effective_condition_number < 430
assert 2_800 < scaled.predicted_steps(1e-6) < 2_900

# %%
# The condition number falls from :math:`10^{11}` to about 415. The rest comes from
# columns that say nearly the same, such as distance and time in the air. No scaling of
# single columns removes it.

together = np.corrcoef(columns["distance"], columns["air_time"])[0, 1]
assert together > 0.99

# %%
# A valley becomes round
# ----------------------
# Two of the features can be drawn: the hour and the minute of the schedule. The minute
# varies more than the hour, so its direction is steeper. Raw, the level curves are a
# valley of condition number 17, and 25 steps at the best rate cross it back and forth.
# Standardised, they are nearly circles, because the two features have hardly any
# correlation. One step at the best rate leaves 4% of the distance, and raw it leaves
# 88%.

pair = np.column_stack([columns["hour"], columns["minute"]])
pair -= pair.mean(axis=0)
late = y_train - y_train.mean()
conditions, rounds = {}, {}
for name, data in [("raw", pair), ("standardised", pair / pair.std(axis=0))]:
    plane = st.LeastSquares(data, late, intercept=False)
    curvature = st.curvature(plane, np.zeros(2))
    conditions[name] = curvature.condition_number
    end = st.normal_equation(plane).w
    rate = curvature.best_learning_rate
    far = end + 0.05 / data.std(axis=0) * [-1, 0.6]
    rounds[name] = st.minimize(
        plane,
        far,
        st.GradientDescent(rate),
        max_epochs=25,
        record_path=True,
        diagnose=False,
    )
    figure, ax = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    reach = 0.06 / data.std(axis=0).min()
    limits = [(e - reach, e + reach) for e in end]
    view = {"minimum": end, "limits": limits, "resolution": 61}
    st.plot.contour(plane, rounds[name], ax=ax, **view)
    ax.set(xlabel="weight of the hour", ylabel="weight of the minute")
    ax.set_title(f"{name}: condition number {conditions[name]:.2f}")

print({name: round(condition, 3) for name, condition in conditions.items()})
left = {
    name: np.linalg.norm(run.path[1] - run.w) / np.linalg.norm(run.path[0] - run.w)
    for name, run in rounds.items()
}
print({name: f"{part:.3f} left after a step" for name, part in left.items()})
assert round(conditions["raw"]) == 17
assert round(conditions["standardised"], 1) == 1.1
assert (round(left["raw"], 2), round(left["standardised"], 2)) == (0.88, 0.04)

# %%
# Descent, measured
# -----------------
# Here are 300 steps of plain descent at the best rate, raw and standardised. They use
# every twentieth training flight.

rows = np.arange(0, len(y_train), 20)
runs, curvatures = {}, {}
for name, data in [("raw", X_train), ("standardised", Z_train)]:
    objective = st.LeastSquares(data[rows], y_train[rows])
    curvatures[name] = st.curvature(objective, np.zeros(29))
    rate = curvatures[name].best_learning_rate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.DiagnosisWarning)
        runs[name] = st.minimize(
            objective, None, st.GradientDescent(rate), max_epochs=300
        )
ax = st.plot.loss_curve(runs)

# %%
# The raw run has hardly begun. Its diagnosis says so:

print(runs["raw"].diagnosis)
assert runs["raw"].diagnosis.kind == "slow"

# %%
# The standardised run comes within 2% of the lowest loss in 300 steps. To a gradient
# of norm 1e-6 it takes as many steps as its curvature predicts.

objective = st.LeastSquares(Z_train[rows], y_train[rows])
predicted = curvatures["standardised"].steps_to_gradient_norm(1e-6)
rate = curvatures["standardised"].best_learning_rate
to_the_end = st.minimize(
    objective,
    None,
    st.GradientDescent(rate),
    max_epochs=5000,
    stop=st.stop.GradientNorm(1e-6),
)
print(f"predicted {predicted:,} steps, taken {to_the_end.n_steps:,}")
assert abs(to_the_end.n_steps - predicted) <= 1
assert runs["standardised"].value < 1.02 * to_the_end.value
assert runs["raw"].value > 2 * to_the_end.value

# %%
# Exercises
# ---------
# 1. A distance in metres and not in kilometres: by which factor does the curvature
#    along it grow?
#
#    .. answer::
#
#       By a million. The feature is 1000 times as large, and the curvature is its mean
#       square.
#
# 2. Two standardised features have the correlation 0.99. What is the condition number?
#
#    .. answer::
#
#       The Hessian is twice the matrix of rows (1, 0.99) and (0.99, 1), whose
#       eigenvalues are 1.99 and 0.01. The condition number is 199. Scaling single
#       columns cannot lower it.
#
# 3. Why is the test part not scaled by its own mean?
#
#    .. answer::
#
#       The model is a formula with the training mean in it. Another mean would be
#       another model, and one that uses rows that were not to be seen.

assert 1000**2 == 1_000_000
assert round(np.linalg.cond(2 * np.array([[1, 0.99], [0.99, 1]]))) == 199

# %%
# Reading
# -------
# * Yann LeCun, Léon Bottou, Genevieve Orr and Klaus-Robert Müller, *Efficient
#   BackProp*, 1998: why inputs are standardised.
# * Trevor Hastie, Robert Tibshirani and Jerome Friedman, *The Elements of Statistical
#   Learning*, second edition, 2009, section 3.4: scaling before shrinkage.
