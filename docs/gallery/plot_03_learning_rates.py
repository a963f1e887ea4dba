r"""
Learning rates: a showdown
==========================

In the simplest case, :math:`f(\theta) = \theta^2`, the learning rate :math:`\eta`
decides everything. The slope is :math:`2 \theta`, so one step of gradient descent is a
multiplication:

.. math:: \theta_{t+1} = \theta_t - \eta \cdot 2 \theta_t = (1 - 2 \eta) \, \theta_t .

Four rates show the four things that can happen.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# sphinx_gallery_thumbnail_number = 2

parabola = st.Function(
    lambda w: (w[0] ** 2, 2 * w),
    n_parameters=1,
    hessian_product=lambda w, v: 2 * v,
)

# %%
# The factor of a step
# --------------------
# We start at 1 and take 60 steps with each rate. ``diagnose=False`` turns off the
# warnings, because here we want to see what goes wrong. The factor is 0.98 for a rate
# of 0.01, 0.8 for 0.1, -0.6 for 0.8 and -1.02 for 1.01.

factors = {0.01: 0.98, 0.1: 0.8, 0.8: -0.6, 1.01: -1.02}
runs = {}
for rate, factor in factors.items():
    optimizer = st.GradientDescent(rate)
    run = st.minimize(
        parabola,
        np.array([1.0]),
        optimizer,
        max_epochs=60,
        record_path=True,
        diagnose=False,
    )
    np.testing.assert_allclose(run.path[:, 0], factor ** np.arange(61), rtol=1e-12)
    print(f"rate {rate:<4}  factor {factor:5}  after 60 steps {run.w[0]:11.4g}")
    runs[rate] = run

# %%
# The factor alone decides what happens:
#
# * 0.98: the run creeps. After 60 steps 30% of the distance is left.
# * 0.8: the run arrives. After 60 steps one part in 600,000 is left.
# * -0.6: each step overshoots, and the next one comes back. The run oscillates, but it
#   arrives sooner than with 0.8.
# * -1.02: each step makes the distance larger, on the other side. The run diverges.

left = {rate: abs(run.w[0]) for rate, run in runs.items()}
assert 0.29 < left[0.01] < 0.30
assert 600_000 < 1 / left[0.1] < 700_000
assert left[0.8] < left[0.1]
assert left[1.01] > 3

figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), sharey=True, layout="constrained")
for ax, (rate, run) in zip(axes, runs.items(), strict=True):
    ax.axhline(0, color="0.8", lw=1)
    ax.plot(run.path[:31, 0], ".-", lw=1, ms=5, color="C3" if left[rate] > 1 else "C0")
    ax.set(
        title=f"rate {rate}, factor {factors[rate]}", xlabel="step", ylim=(-2.1, 2.1)
    )
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel(r"$\theta$")

# %%
# The loss is the square of the distance. On a log axis all four curves are straight
# lines.

ax = st.plot.learning_rates(runs)

# %%
# The bound
# ---------
# The factor is between -1 and 1 exactly if :math:`\eta < 2 / \lambda`, where
# :math:`\lambda` is the second derivative. Here :math:`\lambda = 2` and the bound is
# 1. At the bound itself the run neither arrives nor leaves. It jumps between 1 and -1,
# as in the secret-number game. Such a run warns. ``result.diagnosis`` keeps the text of
# the warning.

curvature = st.curvature(parabola, np.array([1.0]))
assert curvature.max_learning_rate == 1.0

with warnings.catch_warnings():
    warnings.simplefilter("ignore", st.DiagnosisWarning)
    at_the_bound = st.minimize(
        parabola, np.array([1.0]), st.GradientDescent(1.0), max_epochs=100
    )
print(at_the_bound.diagnosis)
assert at_the_bound.w[0] == 1.0
assert at_the_bound.diagnosis.kind == "oscillating"

# %%
# The best rate is half the bound, :math:`1 / \lambda = 0.5`. Its factor is 0, so one
# step is enough. The diagnosis named this rate, to three digits.

assert curvature.best_learning_rate == 0.5
assert round(at_the_bound.diagnosis.learning_rate, 3) == 0.5
one_step = st.minimize(parabola, np.array([1.0]), st.GradientDescent(0.5), max_epochs=1)
assert one_step.w[0] == 0.0

# %%
# With ``"auto"`` instead of a number, the run takes its rate from the curvature.

stop = st.stop.GradientNorm(1e-6)
by_itself = st.minimize(
    parabola, np.array([1.0]), st.GradientDescent("auto"), stop=stop
)
rates = by_itself.history["learning_rate"]
print(f"{by_itself.n_steps} steps, the first one with a rate of {rates[1]:.3f}")
assert by_itself.converged
assert rates.max() < curvature.max_learning_rate

# %%
# With more parameters there are more eigenvalues, and no rate is best for all of them.
# See :ref:`sphx_glr_course_plot_04_quadratic_model.py`.
