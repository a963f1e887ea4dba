r"""
Feature scaling
===============

Features come in units: minutes, miles, flight numbers. For least squares the Hessian is
:math:`\frac{2}{n} X^T X`, so a feature that is 1000 times as large curves the loss a
million times as much. The condition number
:math:`\kappa = \lambda_{\max} / \lambda_{\min}` explodes, and with it the number of
steps of plain descent, about :math:`\frac{\kappa}{2} \ln \frac{1}{\varepsilon}` to
shrink the error by :math:`\varepsilon`.

To standardise is to take from each column its mean, and to divide it by its standard
deviation. This page does so to 81,837 real flights from New York.
"""

import warnings

import numpy as np

import steepest as st
from steepest.cli.encoding import Encoder
from steepest.cli.tables import load_flights

# %%
# The flights
# -----------
# We take what is known when the aeroplane lands, with a column of zeros and ones for
# each carrier and airport but the first. The target is 1 if the flight came more than
# 15 minutes late and 0 if not, and every fifth flight is kept back for testing.

flights = load_flights().frame[::4]
encoder = Encoder.of(flights.drop(columns="late"))
X = encoder.encode(flights)
y = flights["late"].to_numpy(dtype=float)
assert X.shape == (81_837, 28)

test_rows = np.arange(len(y)) % 5 == 0
X_train, y_train, X_test = X[~test_rows], y[~test_rows], X[test_rows]

# %%
# Raw
# ---
# ``st.curvature`` computes the eigenvalues of the Hessian, and printing what it
# returns says what they mean. Here :math:`\kappa` is above :math:`10^{11}`: to shrink
# the error by a factor of a million, plain descent would need about a million times a
# million steps.

raw = st.curvature(st.LeastSquares(X_train, y_train), np.zeros(29))
print(raw)
assert 1e11 < raw.effective_condition_number < 2e11
assert 1.0e12 < raw.predicted_steps(1e-6) < 1.2e12

# %%
# The report finds a flat direction too, along which the loss does not change at all.
# The timetable is to blame: the scheduled departure is written as 100 times its hour
# plus its minute, and both are columns of their own.

columns = dict(zip(encoder.features, X_train.T, strict=True))
assert np.array_equal(
    columns["sched_dep_time"], 100 * columns["hour"] + columns["minute"]
)
assert raw.rank == 29 - 1

# %%
# Standardised
# ------------
# Mean and deviation come from the training rows alone; the test rows are scaled by the
# same numbers. Were they scaled by their own, the test would know what no new flight
# can know.

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
# From :math:`10^{11}` to about 415. What is left comes from columns that say nearly
# the same, such as distance and time in the air; no scaling of single columns removes
# that.

together = np.corrcoef(columns["distance"], columns["air_time"])[0, 1]
assert together > 0.99

# %%
# Descent, measured
# -----------------
# To see it happen, take every twentieth of the training flights, and 300 steps of
# plain descent at the best rate, raw and standardised.

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
# The raw run has hardly begun, and says so itself:

print(runs["raw"].diagnosis)
assert runs["raw"].diagnosis.kind == "slow"

# %%
# The standardised one needs 300 steps to come within 2% of the lowest loss. For a
# gradient of norm 1e-6 it takes as many steps as its curvature predicts.

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
