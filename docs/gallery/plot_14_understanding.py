r"""
Understanding a run
===================

**The question.** Why does a run crawl, oscillate or explode, and which number mends it?

A run crawls, oscillates or explodes. The eigenvalues of the Hessian explain why, and
give the number to set instead. This page shows what ``steepest`` says by itself, and
what it says when you ask.
"""

import warnings

import numpy as np
from sklearn.datasets import load_diabetes

import steepest as st

# %%
# Ask the problem
# ---------------
# The data have ten measurements of 442 patients. The model predicts the progress of a
# disease. ``st.curvature`` computes the eigenvalues of the Hessian at a point. Printing
# the result gives a report. Its last lines say what to do.

X, y = load_diabetes(return_X_y=True, scaled=False)
assert X.shape == (442, 10)
raw = st.LeastSquares(X, y)
before = st.curvature(raw, np.zeros(11))
print(before)
assert before.condition_number > 1e7
assert "standardise the features" in str(before)

# %%
# We follow the advice and ask again. The condition number falls from 52 million to 470,
# as the report predicted.

objective = st.LeastSquares((X - X.mean(axis=0)) / X.std(axis=0), y)
after = st.curvature(objective, np.zeros(11))
print(after)
assert 5.2e7 < before.condition_number < 5.3e7
assert round(after.condition_number) == 470
assert abs(before.standardised_condition_number / after.condition_number - 1) < 1e-6

# %%
# What a run says
# ---------------
# ``minimize`` checks its own history. If a run goes badly, a warning says so and names
# the number to set instead. ``result.diagnosis`` keeps the text. Here the largest
# stable rate is 0.248. We try a rate 5% above it, and one that is a hundredth of it.

assert round(after.max_learning_rate, 3) == 0.248


def descend(learning_rate):
    """Run 200 steps of plain descent, and print the diagnosis instead of a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.DiagnosisWarning)
        run = st.minimize(
            objective, optimizer=st.GradientDescent(learning_rate), max_epochs=200
        )
    print(f"rate {learning_rate:.4f}: {run.diagnosis or 'nothing to say'}")
    return run


too_high = descend(1.05 * after.max_learning_rate)
too_low = descend(0.01 * after.max_learning_rate)
assert (too_high.diagnosis.kind, too_low.diagnosis.kind) == ("exploding", "slow")

# %%
# Both diagnoses name a rate below the bound. With that rate the same 200 steps come
# further. They are still slow, now because of the condition number. The diagnosis names
# a momentum.

better = descend(too_low.diagnosis.learning_rate)
assert too_high.diagnosis.learning_rate < after.max_learning_rate
assert "Momentum" in better.diagnosis
assert better.value < too_low.value < too_high.value

# %%
# Or leave it to the run
# ----------------------
# With ``"auto"``, plain descent and momentum take their rates from the curvature.
# Momentum needs far fewer steps, because its number of steps depends on the root of the
# condition number.

stop = st.stop.GradientNorm(1e-6)
by_themselves = {
    type(optimizer).__name__: st.minimize(
        objective, optimizer=optimizer, max_epochs=10_000, stop=stop
    )
    for optimizer in (st.GradientDescent("auto"), st.Momentum("auto"))
}
steps = {name: run.n_steps for name, run in by_themselves.items()}
lowest = min(run.value for run in by_themselves.values())
print(steps)
assert all(run.converged for run in by_themselves.values())
assert 5 * steps["Momentum"] < steps["GradientDescent"]

# %%
# Try rates out
# -------------
# Mini-batches and adaptive methods have no such bound. ``st.find_learning_rate``
# raises the rate from step to step until the loss explodes. It suggests a rate well
# below that one. It does not change the objective or the optimizer.

found = st.find_learning_rate(
    objective, st.Adam(), batch_size=32, highest=1e4, random_state=0
)
print(found)
ax = st.plot.learning_rates(found)

# %%
# This run uses the suggested rate:

adam = st.Adam(found.suggestion)
run = st.minimize(
    objective, optimizer=adam, batch_size=32, max_epochs=100, random_state=0
)
print(f"loss {run.value:.1f}, the lowest is {lowest:.1f}")
assert run.value < 1.1 * lowest

# %%
# ``st.grid_search`` instead compares whole runs with the same budget.

search = st.grid_search(
    objective,
    st.Adam(),
    learning_rates=(0.01, 0.1, 1.0, 10.0, 100.0),
    batch_size=32,
    max_epochs=20,
    random_state=0,
)
print(search)
assert search.best.value == min(result.value for result in search.results)
ax = st.plot.learning_rates(search)

# %%
# Exercises
# ---------
# 1. All features become ten times as large. What happens to the largest stable rate?
#
#    .. answer::
#
#       It becomes a hundredth, since the curvature is quadratic in the features.
#
# 2. The condition number is 470. By which factor do steps of momentum beat those of
#    plain descent, on paper?
#
#    .. answer::
#
#       Plain descent leaves :math:`1 - 2 / (\kappa + 1)` of the error at each step, and
#       momentum :math:`1 - 2 / (\sqrt{\kappa} + 1)`. For a large :math:`\kappa` the
#       ratio of the steps is about :math:`\sqrt{\kappa}`, here 21.7. Momentum is slower
#       at first, so the run above gains less.
#
# 3. ``grid_search`` and ``find_learning_rate`` answer different questions. Which?
#
#    .. answer::
#
#       The finder looks for the rates that do not explode, and lets some of them race
#       over a few epochs. The grid asks which rate gives the lowest loss after the
#       budget that you give.

tenfold = st.curvature(
    st.LeastSquares(10 * objective.X, y, intercept=False), np.zeros(10)
)
once = st.curvature(st.LeastSquares(objective.X, y, intercept=False), np.zeros(10))
np.testing.assert_allclose(100 * tenfold.max_learning_rate, once.max_learning_rate)
assert round(470**0.5, 1) == 21.7
assert steps["GradientDescent"] / steps["Momentum"] < 21.7

# %%
# Reading
# -------
# * Jorge Nocedal and Stephen Wright, *Numerical Optimization*, second edition, 2006,
#   chapter 3.
# * Leslie Smith, *Cyclical Learning Rates for Training Neural Networks*, 2017: the
#   range test.
# * :doc:`/play/valley`
