r"""
Convergence rates, on paper and measured
========================================

**The question.** How many steps does a method need, before anybody has run it?

Theorems bound the excess :math:`e_t = f(w_t) - f^*` after t steps. They ask what is
known of f: its largest curvature L, its smallest curvature m (0 if the floor is flat),
and whether the gradients are noisy.

======================================  ================================================
what                                    the excess after t steps, at most
======================================  ================================================
descent, rate 1/L, convex               :math:`L \lVert w_0 - w^* \rVert^2 / (2 t)`
Nesterov's method, convex               :math:`2 L \lVert w_0 - w^* \rVert^2 / (t+1)^2`
descent, rate 1/L, curvature above m    :math:`(1 - m/L)^t \, e_0`
descent, constant rate, noise           a floor proportional to the rate
descent, rate falling like 1/t, noise   proportional to 1/t
======================================  ================================================

This page derives the first and the third, and measures all of them.
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# %%
# One step
# --------
# If no curvature is above L, then f lies below a parabola:
#
# .. math::
#    f(w - \eta g) \le f(w) - \eta \lVert g \rVert^2
#    + \frac{L}{2} \eta^2 \lVert g \rVert^2 .
#
# The right side is lowest for :math:`\eta = 1/L`. There a step gains at least
# :math:`\lVert g \rVert^2 / (2 L)`. If moreover no curvature is below m, then
# :math:`\lVert g \rVert^2 \ge 2 m \, (f(w) - f^*)`. So a step leaves at most
# :math:`1 - m/L` of the excess. This is the third row of the table. Such convergence is
# called linear: on a log axis it is a straight line.
#
# The example has L = 1 and m = 1/100.

curvatures = np.geomspace(0.01, 1.0, 50)


def diagonal(scales):
    """Return half the weighted sum of squares, whose lowest value is 0."""
    return st.Function(
        lambda w: (scales @ w**2 / 2, scales * w), len(scales), lambda w, v: scales * v
    )


def excess_of(objective, w0, optimizer, n_steps):
    """Return the excess after each step of a run."""
    run = st.minimize(objective, w0, optimizer, max_epochs=n_steps, diagnose=False)
    return run.history["loss"]


strong = excess_of(diagonal(curvatures), np.ones(50), st.GradientDescent(1.0), 1400)
steps = np.arange(1401)
assert np.all(strong <= (1 - 1 / 100) ** steps * strong[0] * (1 + 1e-12))
in_the_end = strong[-1] / strong[-2]
print(
    f"the last step leaves {in_the_end:.4f} of the excess, (1 - m/L)^2 is {0.99**2:.4f}"
)
assert abs(in_the_end - (1 - 1 / 100) ** 2) < 1e-3

# %%
# On a quadratic the truth is better than the bound: the slowest direction shrinks by
# 1 - m/L, so the excess shrinks by its square. The bound holds for every function with
# these curvatures, also for those that are not quadratic.
#
# A flat floor
# ------------
# With m = 0 the third row promises nothing. Convexity says that
# :math:`f(w) - f^* \le g \cdot (w - w^*)`. Put into the square of the distance,
# a step with rate 1/L gives
#
# .. math::
#    f(w_{t+1}) - f^* \le \frac{L}{2} \left( \lVert w_t - w^* \rVert^2
#    - \lVert w_{t+1} - w^* \rVert^2 \right) .
#
# The sum over t steps telescopes. The excess never rises, so t times the last one is at
# most the sum. This is the first row.
#
# The example has 2,000 curvatures between 0 and 1, each with the same part of the
# start's excess. Descent takes 2,000 steps, and so does Nesterov's method, whose
# momentum rises like (t - 1) / (t + 2).

flat = np.arange(1, 2001) / 2000
flat_start = flat**-0.5 / np.linalg.norm(flat**-0.5)
objective = diagonal(flat)
n = 2000
plain = excess_of(objective, flat_start, st.GradientDescent(1.0), n)


def nesterov(objective, w, n_steps):
    """Return the excess after each step of Nesterov's method with rate 1."""
    before, found = w, [objective.value(w)]
    for t in range(1, n_steps + 1):
        ahead = w + (t - 1) / (t + 2) * (w - before)
        before, w = w, ahead - objective.gradient(ahead)
        found.append(objective.value(w))
    return np.array(found)


fast = nesterov(objective, flat_start, n)
t = np.arange(1, n + 1)
distance = np.linalg.norm(flat_start)
parts = flat * flat_start**2 / 2
assert abs(distance - 1) < 1e-12
np.testing.assert_allclose(parts, parts[0])
bound, fast_bound = 1 / (2 * t), 2 / (t + 1) ** 2
assert np.all(plain[1:] <= bound)
assert np.all(fast[1:] <= fast_bound)


def slope(values, first, last):
    """Return the exponent of t, fitted between two steps."""
    some = np.arange(first, last)
    return np.polyfit(np.log(some), np.log(values[first:last]), 1)[0]


print(f"excess of descent falls like t^{slope(plain, 20, 500):.2f}")
print(f"excess of Nesterov's method falls like t^{slope(fast, 20, 500):.2f}")
assert -1.3 < slope(plain, 20, 500) < -0.9
assert slope(fast, 20, 500) < -1.8

figure, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
for values, limit, colour, name in [
    (plain, bound, "#0072B2", "descent"),
    (fast, fast_bound, "#D55E00", "Nesterov's method"),
]:
    ax.loglog(t, values[1:], color=colour, lw=2, label=name)
    ax.loglog(t, limit, color=colour, lw=1.2, ls="--", label="its bound")
ax.set(xlabel="step", ylabel="excess", title="a flat floor")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Noise
# -----
# The gradient of a random row is right on average, but does not vanish at the minimum.
# Near it each step adds noise of size :math:`\eta^2`, and removes a part of the excess
# of size :math:`\eta`. The two balance at an excess proportional to :math:`\eta`. Half
# the rate halves the floor. If the rate falls like 1/t, the floor falls with it.

rng = np.random.default_rng(0)
X = rng.standard_normal((2_000, 5))
y = X @ np.ones(5) + rng.standard_normal(2_000)
noisy = st.LeastSquares(X, y, intercept=False)
lowest = noisy.value(st.normal_equation(noisy).w)


def noisy_run(rate, seed):
    """Return the excess after each epoch of stochastic descent."""
    run = st.minimize(
        noisy,
        None,
        st.GradientDescent(rate),
        batch_size=1,
        max_epochs=40,
        random_state=seed,
        diagnose=False,
    )
    return run.history["loss"] - lowest


falling = st.schedules.InverseTimeDecay(0.02, decay=1.0, every=50)
rates = {"rate 0.02": 0.02, "rate 0.01": 0.01, "rate 1 / (50 + t)": falling}
assert abs(falling(950) - 1 / (50 + 950)) < 1e-15
noise = {
    name: np.mean([noisy_run(rate, seed) for seed in range(8)], axis=0)
    for name, rate in rates.items()
}
floors = [noise[name][10:].mean() for name in ("rate 0.02", "rate 0.01")]
print(f"floors: {floors[0]:.4f} and {floors[1]:.4f}")
assert 1.7 < floors[0] / floors[1] < 2.6
assert noise["rate 1 / (50 + t)"][-5:].mean() < floors[1] / 20
fall = slope(noise["rate 1 / (50 + t)"], 2, 41)
print(f"with the falling rate the excess falls like t^{fall:.2f}")
assert fall < -1

figure, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
for name, values in noise.items():
    ax.loglog(np.arange(1, 41) * 2_000, values[1:], lw=2, label=name)
ax.set(xlabel="step", ylabel="excess, mean of 8 runs", title="noisy gradients")
ax.set_xticks([2_000, 5_000, 20_000, 80_000], ["2,000", "5,000", "20,000", "80,000"])
ax.minorticks_off()
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# With the falling rate the excess falls faster than the table says. The theorem is
# about rows drawn one by one. An epoch of ``steepest`` uses each row once, in a random
# order, so the noise of one half of an epoch is taken back by the other.
#
# The bounds explain what the library's reports say. ``st.curvature`` predicts the steps
# of plain descent from the third row, in its exact form for quadratics.

report = st.curvature(diagonal(curvatures), np.ones(50))
assert round(report.condition_number) == 100

# %%
# Exercises
# ---------
# 1. With L = 1 and m = 1/100, after how many steps does the bound promise a millionth
#    of the excess? How many steps did the run above take?
#
#    .. answer::
#
#       :math:`0.99^t = 10^{-6}` at t = 1,375. The run took less than half of that.
#
# 2. A bound of :math:`1/t` against one of :math:`1/t^2`: to shrink the excess by
#    10,000, how many steps does each need?
#
#    .. answer::
#
#       10,000 and 100.
#
# 3. Which batch size has the floor of a rate of 0.01 with a rate of 0.02?
#
#    .. answer::
#
#       About 2. A batch of 2 halves the variance of the gradient, and the floor is
#       proportional to the rate times the variance.

assert np.ceil(np.log(1e-6) / np.log(0.99)) == 1375
assert 0 < np.argmax(strong < 1e-6 * strong[0]) < 1375 / 2
assert (1e4, 1e4**0.5) == (10_000, 100)
pairs = st.minimize(
    noisy,
    None,
    st.GradientDescent(0.02),
    batch_size=2,
    max_epochs=40,
    random_state=0,
    diagnose=False,
)
assert 0.7 < np.mean(pairs.history["loss"][10:] - lowest) / floors[1] < 1.5

# %%
# Reading
# -------
# * Yurii Nesterov, *A method for solving the convex programming problem with
#   convergence rate O(1/k^2)*, 1983.
# * Sébastien Bubeck, *Convex Optimization: Algorithms and Complexity*, 2015, chapter 3:
#   all bounds of this page.
# * Léon Bottou, Frank Curtis and Jorge Nocedal, *Optimization Methods for Large-Scale
#   Machine Learning*, SIAM Review, 2018, section 4: noise.
