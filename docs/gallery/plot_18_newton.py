r"""
Newton, quasi-Newton and nine passes
====================================

**The question.** Where curvature is known, why take thousands of steps? And how do the
defaults of ``steepest`` come by with about nine passes over 327,346 rows?

Plain descent needs many steps because one rate has to serve all directions. Newton's
method gives each direction its own. It takes the quadratic model at w,

.. math::
   m(u) = f(w) + g \cdot (u - w) + \tfrac{1}{2} (u - w) \cdot H (u - w) ,

and goes to its lowest point, where :math:`g + H (u - w) = 0`:

.. math:: w \leftarrow w - H^{-1} g .
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st
from steepest.cli.encoding import TableEncoder
from steepest.cli.flights import load_flights

# sphinx_gallery_thumbnail_number = 2

# %%
# The flights
# -----------
# The data are those of :ref:`sphx_glr_course_plot_10_scaling.py`, all of them this
# time: 327,346 flights, standardised, and whether each was late. There are 29
# parameters. The penalty is 0.0001. The condition number at the minimum is about 2,500.

frame = load_flights().frame
X = TableEncoder().fit_transform(frame.drop(columns="late"))
X -= X.mean(axis=0)
X /= X.std(axis=0)
y = frame["late"].to_numpy(dtype=float)
assert X.shape == (327_346, 28)
flights = st.Logistic(X, y, alpha=1e-4)
default = st.minimize(flights)
w_best, lowest = default.w, default.value
H = flights.hessian(w_best)
print(f"condition number {np.linalg.cond(H):,.0f}")
assert 2_400 < np.linalg.cond(H) < 2_600

# %%
# Newton's method
# ---------------
# Close to the minimum the model is nearly exact. There, an error e becomes about
# :math:`C e^2` in one step: the number of right digits doubles. This is called
# quadratic convergence.

newton_excess, w = [], np.zeros(29)
for _ in range(8):
    value, gradient = flights.value_and_gradient(w)
    newton_excess.append(value - lowest)
    w -= np.linalg.solve(flights.hessian(w), gradient)
print("excess:", ", ".join(f"{excess:.0e}" for excess in newton_excess[:7]))
digits = -np.log10(newton_excess[3:7])
assert newton_excess[6] < 1e-9 < newton_excess[5]
assert np.all(digits[1:] > 1.5 * digits[:-1])

# %%
# Seven evaluations are few. But each needs the Hessian of all rows,
# :math:`\frac{1}{n} X^T D X`. That is :math:`d^2 / 2` multiplications a row, and a
# gradient takes 2d. By this count a Hessian of 29 parameters costs as much as seven
# gradients, and one of 1,000 parameters as much as 250. Where a gradient waits for
# memory, a Hessian is cheaper than the count.

assert round(29 / 4) == 7
assert 1000 / 4 == 250

# %%
# The Hessian of a sample
# -----------------------
# We need not know H well. Suppose that we know some matrix S near it. In the
# coordinates :math:`S^{1/2} w` the Hessian is :math:`S^{-1/2} H S^{-1/2}`, and descent
# there depends on the condition number of that matrix. A sample of the rows gives S at
# a fraction of the price. Here are the eigenvalues with samples of three sizes.

rng = np.random.default_rng(0)
eigenvalues = {}
for size in (1_000, 10_000, 100_000):
    rows = np.sort(rng.choice(len(y), size, replace=False))
    S = st.Logistic(X[rows], y[rows], alpha=1e-4).hessian(w_best)
    root = np.linalg.inv(np.linalg.cholesky(S))
    eigenvalues[size] = np.linalg.eigvalsh(root @ H @ root.T)
    middle = np.sort(eigenvalues[size])[3:-3]
    print(
        f"{size:7,} rows: 23 of the 29 eigenvalues between {middle[0]:.2f} and "
        f"{middle[-1]:.2f}, the largest is {eigenvalues[size][-1]:.1f}"
    )
for values in eigenvalues.values():
    assert np.all((np.sort(values)[3:-3] > 0.5) & (np.sort(values)[3:-3] < 2.0))
assert np.linalg.cond(np.diag(eigenvalues[100_000])) < 3

figure, ax = plt.subplots(figsize=(6.8, 3.4), layout="constrained")
shown = {"none": np.linalg.eigvalsh(H) / np.median(np.linalg.eigvalsh(H))}
shown |= {f"{size:,} rows": values for size, values in eigenvalues.items()}
for i, values in enumerate(shown.values()):
    ax.plot(values, np.full(29, i), "o", ms=7, alpha=0.5, mec="white")
ax.set_yticks(range(len(shown)), shown)
ax.set(xscale="log", xlabel="eigenvalues of the Hessian in the coordinates of a sample")
ax.axvline(1, color="0.6", lw=1, ls=":")
ax.set_ylim(-0.5, 3.5)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Nearly all eigenvalues are near 1. What is left is a few directions that a small
# sample hardly sees, such as an airline with few flights.
#
# Learning from steps
# -------------------
# A step s changes the gradient by y. For a quadratic, :math:`y = H s`. This is one
# equation about H that a step gives for nothing, the secant equation. BFGS changes its
# estimate of :math:`H^{-1}` as little as possible so that the last step fits. L-BFGS
# keeps only the last pairs s, y, and computes the direction from them by two loops. The
# first estimate is the inverse of S, or with no S the multiple of the identity that
# fits the last pair.


def identity(gradient, pairs):
    """Return the gradient times the scale of the last pair."""
    s, change = pairs[-1] if pairs else (gradient, gradient)
    return gradient * (s @ change) / (change @ change)


def lbfgs_direction(gradient, pairs, first):
    """Return minus the estimated inverse Hessian times the gradient."""
    q, kept = gradient.copy(), []
    for s, change in reversed(pairs):
        a = (s @ q) / (s @ change)
        q -= a * change
        kept.append(a)
    r = first(q, pairs)
    for (s, change), a in zip(pairs, reversed(kept), strict=True):
        r += (a - (change @ r) / (s @ change)) * s
    return -r


def lbfgs(objective, w, first, n_passes):
    """Return the values at each evaluation of all rows. Steps that rise are halved."""
    value, gradient = objective.value_and_gradient(w)
    values, pairs, length = [value], [], 1.0
    while len(values) < n_passes:
        if length == 1.0:
            direction = lbfgs_direction(gradient, pairs, first)
        new = w + length * direction
        new_value, new_gradient = objective.value_and_gradient(new)
        values.append(min(new_value, values[-1]))
        if new_value > value + 1e-4 * length * (gradient @ direction):
            length /= 2
            continue
        if (new - w) @ (new_gradient - gradient) > 0:
            pairs = [*pairs[-9:], (new - w, new_gradient - gradient)]
        w, value, gradient, length = new, new_value, new_gradient, 1.0
    return np.array(values)


bare = lbfgs(flights, np.zeros(29), identity, 200) - lowest
sample = st.Logistic(X[rows[::10]], y[rows[::10]], alpha=1e-4)
w_sample = st.minimize(sample).w
S = sample.hessian(w_sample)
informed = lbfgs(flights, w_sample, lambda q, pairs: np.linalg.solve(S, q), 15) - lowest


def passes_to(excess, target=1e-8):
    """Return the evaluations until the excess is below a target, 10,000 for never."""
    below = np.asarray(excess) < target
    return int(np.argmax(below)) + 1 if below.any() else 10_000


print(f"L-BFGS: {passes_to(bare)} passes alone, {passes_to(informed)} with a sample")
assert passes_to(bare) > 3 * passes_to(informed)
assert passes_to(informed) <= 14

# %%
# The default, measured
# ---------------------
# ``st.QuasiNewton`` does both. It solves the problem of a sample of about 10,000 rows
# by Newton's method, and takes two more steps on a sample of some 50,000, which costs a
# fraction of a pass. It begins where that ends, with that Hessian, and lets L-BFGS
# learn the rest. If the steps show that the sample was too small, it takes a Hessian of
# more rows. Each row of the history is an evaluation of all rows, but the last, which
# finds that no direction is left. The first two share one pass.

excess = default.history["loss"] - lowest
for number, each in enumerate(excess, start=1):
    print(f"pass {number}: excess {each:9.1e}")
assert default.converged
assert 8 <= len(excess) <= 10
assert 0.3 < excess[0] < 0.6
assert 0.005 < excess[1] / excess[0] < 0.01
assert excess[5] < 1e-10

# %%
# So the nine rows are these. One is at zeros. The second is where the samples lead,
# whose excess is under 1% of the start's. Four more bring it below 1e-10, each by a
# large factor. The rest find that no number of float64 is lower. Here the sample hardly
# sees some columns, so the run takes the Hessian of all rows twice on the way; that is
# why its excess falls faster than that of our own version. A looser tolerance saves the
# end: a gradient of 1e-6 is reached after six.

loose = st.minimize(flights, stop=st.stop.GradientNorm(1e-6))
assert 5 <= loose.n_epochs + 1 <= 7

small = st.Logistic(X[::20].copy(), y[::20].copy(), alpha=1e-4)
best_of_small = st.minimize(small).value
first_order = {}
for name, optimizer in [
    ("plain descent", st.GradientDescent("auto")),
    ("momentum", st.Momentum("auto")),
]:
    run = st.minimize(small, optimizer=optimizer, max_epochs=1500, diagnose=False)
    first_order[name] = run.history["loss"] - best_of_small

figure, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
for name, values in first_order.items():
    ax.loglog(np.arange(1, len(values) + 1), values, lw=2, label=name)
ax.loglog(np.arange(1, 201), bare, lw=2, label="L-BFGS alone")
passes_of_newton = 1 + (1 + 29 / 4) * np.arange(8)
ax.loglog(
    passes_of_newton, newton_excess, "o-", lw=2, label="Newton, by the count above"
)
ax.loglog(np.arange(1, len(excess) + 1), excess, "o-", lw=2.6, label="the default")
ax.set(xlabel="passes over the data", ylabel="excess", ylim=(1e-10, 1))
ax.legend(frameon=False, loc="lower left")
ax.spines[["top", "right"]].set_visible(False)

# %%
# The first two curves are runs on every twentieth flight, to be quick. The curve of the
# default does not count its two Hessians, which would move its later points right.

assert passes_to(first_order["momentum"]) > 10 * passes_to(excess)
assert passes_to(first_order["plain descent"]) > 100 * passes_to(excess)

# %%
# Exercises
# ---------
# 1. Take Newton steps for the root of 2, the positive zero of the slope of
#    :math:`w^3 / 3 - 2 w`, from 2. How many right digits has each?
#
#    .. answer::
#
#       The steps are 1.5, 1.417, 1.414216 and 1.41421356237, right to 1, 3, 6 and 12
#       digits after rounding.
#
# 2. Newton's method from far away can fail. Take :math:`f(w) = \sqrt{1 + w^2}`.
#
#    .. answer::
#
#       The step leads from w to :math:`-w^3`. It arrives from below 1 and explodes from
#       above 1. That is why a line search halves the step until the loss falls.
#
# 3. How large a sample gives 500 parameters a Hessian at the price of one pass over a
#    million rows?
#
#    .. answer::
#
#       A row of the Hessian costs 500 / 4 = 125 rows of a gradient, so 8,000 rows.

root, errors = 2.0, []
for _ in range(4):
    root -= (root**2 - 2) / (2 * root)
    errors.append(abs(root - 2**0.5))
assert [int(-np.log10(error) + 0.4) for error in errors] == [1, 3, 6, 12]
near, beyond = [0.9], [1.1]
for path in (near, beyond):
    for _ in range(5):
        slope, curvature = (
            path[-1] / (1 + path[-1] ** 2) ** 0.5,
            (1 + path[-1] ** 2) ** -1.5,
        )
        path.append(path[-1] - slope / curvature)
np.testing.assert_allclose(near[1:3], [-(0.9**3), 0.9**9])
assert abs(near[-1]) < 1e-3
assert abs(beyond[-1]) > 1e3
assert 1_000_000 / (500 / 4) == 8_000

# %%
# Reading
# -------
# * Dong Liu and Jorge Nocedal, *On the limited memory BFGS method for large scale
#   optimization*, 1989.
# * Richard Byrd, Gillian Chin, Will Neveitt and Jorge Nocedal, *On the Use of
#   Stochastic Hessian Information in Optimization Methods for Machine
#   Learning*, 2011: samples.
# * Jorge Nocedal and Stephen Wright, *Numerical Optimization*, second edition, 2006,
#   chapters 3, 6 and 7.
