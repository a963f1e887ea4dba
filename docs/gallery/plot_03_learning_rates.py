r"""
Learning rates: a showdown
==========================

**The question.** Which learning rates arrive, which oscillate and which explode?

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
    print(f"rate {rate:<4}  factor {factor:5}  after 60 steps {run.w[0]:11.4g}")
    runs[rate] = run

for rate, run in runs.items():
    np.testing.assert_allclose(
        run.path[:, 0], factors[rate] ** np.arange(61), rtol=1e-12
    )

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

figure, axes = plt.subplots(
    2, 2, figsize=(6.6, 5.2), sharex=True, sharey=True, layout="constrained"
)
for ax, (rate, run) in zip(axes.flat, runs.items(), strict=True):
    ax.axhline(0, color="0.8", lw=1)
    ax.plot(run.path[:31, 0], ".-", lw=1, ms=5, color="C3" if left[rate] > 1 else "C0")
    ax.set(title=f"rate {rate}, factor {factors[rate]}", ylim=(-2.1, 2.1))
    ax.spines[["top", "right"]].set_visible(False)
figure.supxlabel("step")
figure.supylabel(r"$\theta$")

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

# %%
# Exercises
# ---------
# 1. Two rates have a factor of the same size as 0.4 has. Which is the other one, and
#    what is different?
#
#    .. answer::
#
#       0.6. Its factor is -0.2 and that of 0.4 is 0.2. Both runs arrive after the same
#       number of steps, but the one with 0.6 changes sides.
#
# 2. With a rate of 0.25, after how many steps is less than a millionth of the distance
#    left?
#
#    .. answer::
#
#       The factor is 0.5, and :math:`0.5^{20}` is the first power below a millionth.
#
# 3. What is the bound for :math:`f(\theta) = 10 \theta^2`?
#
#    .. answer::
#
#       The second derivative is 20, so the bound is 2 / 20 = 0.1. The steeper the
#       walls, the shorter the steps.

assert round(1 - 2 * 0.4, 12) == 0.2
assert round(1 - 2 * 0.6, 12) == -0.2
assert 0.5**20 < 1e-6 < 0.5**19
ten = st.Function(lambda w: (10 * w[0] ** 2, 20 * w), 1, lambda w, v: 20 * v)
assert st.curvature(ten, np.ones(1)).max_learning_rate == 0.1

# %%
# Reading
# -------
# * Stephen Boyd and Lieven Vandenberghe, *Convex Optimization*, 2004, chapter 9:
#   descent, its rates, and Newton's method.
# * Leslie Smith, *Cyclical Learning Rates for Training Neural Networks*, 2017: a range
#   test finds the bound where nobody knows the curvature.
# * Sebastian Ruder, *An overview of gradient descent optimization algorithms*, 2016:
#   all update rules of this course side by side.
