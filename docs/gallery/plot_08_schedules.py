r"""
Schedules
=========

**The question.** How can a run be fast at first and exact in the end?

At first, a high learning rate saves time. Near the end, it keeps a noisy run from
settling. A schedule starts high and decays. In ``steepest`` a schedule is a function of
t, the number of steps taken so far. Any optimizer takes a schedule in place of a
number.
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# sphinx_gallery_thumbnail_number = 2

# %%
# Six shapes
# ----------
# Each decaying schedule starts at 0.1 and reaches half of it, 0.05, at step 100.
#
# * ``StepDecay`` is :math:`\eta_0 \, 0.5^{\lfloor t / 100 \rfloor}`. It halves every
#   100 steps.
# * ``ExponentialDecay`` is :math:`\eta_0 \, 0.5^{t / 100}`, the same without stairs.
# * ``InverseTimeDecay`` is :math:`\eta_0 / (1 + t / 100)`. It falls fast at first, then
#   ever more slowly.
# * ``CosineDecay`` is half a cosine. It reaches 0 at step 200.
# * ``LinearWarmup`` is a straight rise, here over 20 steps, before any other schedule.

schedules = {
    "Constant": st.schedules.Constant(0.1),
    "StepDecay": st.schedules.StepDecay(0.1, factor=0.5, every=100),
    "ExponentialDecay": st.schedules.ExponentialDecay(0.1, factor=0.5, every=100),
    "InverseTimeDecay": st.schedules.InverseTimeDecay(0.1, decay=1.0, every=100),
    "CosineDecay": st.schedules.CosineDecay(0.1, steps=200),
    "LinearWarmup, then CosineDecay": st.schedules.LinearWarmup(
        st.schedules.CosineDecay(0.1, steps=200), steps=20
    ),
}
for name in ("StepDecay", "ExponentialDecay", "InverseTimeDecay", "CosineDecay"):
    assert schedules[name](0) == 0.1
    assert abs(schedules[name](100) - 0.05) < 1e-15
assert schedules["StepDecay"](99) == 0.1
assert schedules["CosineDecay"](200) == 0.0
assert schedules["LinearWarmup, then CosineDecay"](19) == 0.1

# %%
# A schedule also takes an array of steps, so one call is enough to draw it.

steps = np.arange(300)
figure, axes = plt.subplots(
    3, 2, figsize=(7.2, 6.4), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, schedule) in zip(axes.flat, schedules.items(), strict=True):
    ax.plot(steps, schedule(steps), lw=2)
    ax.set_title(name, fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_ylim(0, 0.108)
figure.supxlabel("step")
figure.supylabel("learning rate")

# %%
# What they are for
# -----------------
# The example is stochastic descent on 500 noisy samples, for 40 epochs. With a constant
# rate the run stops improving when the steps are as long as the distance that is left.
# With a rate that decays to 0 it settles. Each schedule runs five times, with the rows
# in another order each time.

rng = np.random.default_rng(0)
X = rng.standard_normal((500, 5))
y = X @ np.array([1.0, -2.0, 0.5, 3.0, 0.0]) + rng.standard_normal(500)
objective = st.LeastSquares(X, y)
lowest = objective.value(st.normal_equation(objective).w)

n_steps = 40 * 500
candidates = {
    "constant 0.02": 0.02,
    "constant 0.001": 0.001,
    "inverse time": st.schedules.InverseTimeDecay(0.02, decay=1.0, every=500),
    "cosine": st.schedules.CosineDecay(0.02, steps=n_steps),
}


def excess_of(rate, seed):
    """Return how far the loss is above the lowest one, after each epoch of a run."""
    run = st.minimize(
        objective,
        None,
        st.GradientDescent(rate),
        batch_size=1,
        max_epochs=40,
        random_state=seed,
    )
    return run.history["loss"] - lowest


excess = {
    name: np.array([excess_of(rate, seed) for seed in range(5)])
    for name, rate in candidates.items()
}

# %%
# The cosine starts at the higher constant rate. After 40 epochs it is more than a
# hundred times as close to the lowest loss as that rate, whatever the order of the
# rows. A low constant rate also ends well, but it begins more slowly. After the first
# epoch it is the last of the four. Lines are medians of five runs, and the bands hold
# all five.

assert 100 * excess["cosine"][:, -1].max() < excess["constant 0.02"][:, -1].min()
first = {name: np.median(values[:, 1]) for name, values in excess.items()}
assert max(first, key=first.get) == "constant 0.001"

figure, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
for i, (name, values) in enumerate(excess.items()):
    ax.semilogy(np.median(values, axis=0), lw=2, color=f"C{i}")
    ax.fill_between(
        range(41), values.min(axis=0), values.max(axis=0), color=f"C{i}", alpha=0.2
    )
    end = np.median(values[:, -1])
    ax.annotate(name, (40, end), xytext=(5, -3), textcoords="offset points")
ax.set(xlabel="epoch", ylabel="loss above the lowest", xlim=(0, 52))
ax.spines[["top", "right"]].set_visible(False)

# %%
# Exercises
# ---------
# 1. What is the rate of the ``InverseTimeDecay`` above at step 300?
#
#    .. answer::
#
#       0.1 / (1 + 300 / 100) = 0.025.
#
# 2. When does the ``ExponentialDecay`` above reach a hundredth of its start?
#
#    .. answer::
#
#       When :math:`0.5^{t/100} = 0.01`, which is at :math:`t = 100 \log_2 100`, about
#       step 664.
#
# 3. With unit gradients a run moves by the sum of its rates. How far can the two
#    schedules go?
#
#    .. answer::
#
#       The sum of the inverse rates grows without bound, so that run gets everywhere.
#       The exponential rates sum to 14.5. A minimum farther away is never reached.
#       Robbins and Monro ask for an infinite sum of rates and a finite sum of their
#       squares.

assert schedules["InverseTimeDecay"](300) == 0.025
assert round(100 * np.log2(100)) == 664
assert round(schedules["ExponentialDecay"](np.arange(100_000)).sum(), 1) == 14.5
assert schedules["InverseTimeDecay"](np.arange(10_000_000)).sum() > 100

# %%
# Reading
# -------
# * Herbert Robbins and Sutton Monro, *A Stochastic Approximation Method*, 1951.
# * Ilya Loshchilov and Frank Hutter, *SGDR: Stochastic Gradient Descent with Warm
#   Restarts*, 2017: the cosine.
# * Léon Bottou, Frank Curtis and Jorge Nocedal, *Optimization Methods for Large-Scale
#   Machine Learning*, SIAM Review, 2018
