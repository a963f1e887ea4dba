r"""
The normal equation against descent
===================================

Least squares has an answer in closed form. Where the gradient is zero,

.. math:: X^T X \, w = X^T y .

This is a system of d linear equations, the normal equation. Then why use descent at
all? The reason is the cost of the closed form.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# %%
# The same answer
# ---------------
# ``st.normal_equation`` solves the system by a Cholesky factorisation. With enough
# steps, descent finds the same parameters.

rng = np.random.default_rng(0)


def problem(n, d):
    """Return least squares of random data, d features, whose noise has deviation 1."""
    X = rng.standard_normal((n, d))
    return st.LeastSquares(X, X @ rng.standard_normal(d) + rng.standard_normal(n))


objective = problem(2_000, 50)
closed = st.normal_equation(objective)
descent = st.minimize(
    objective,
    None,
    st.GradientDescent("auto"),
    max_epochs=500,
    stop=st.stop.GradientNorm(1e-10),
)
print(f"{closed.method}: value {closed.value:.12f}")
print(f"{descent.n_steps} steps of descent: value {descent.value:.12f}")
assert closed.method == "cholesky"
assert descent.converged
np.testing.assert_allclose(descent.w, closed.w, atol=1e-9)
np.testing.assert_allclose(objective.gradient(closed.w), 0, atol=1e-12)

# %%
# A small example: the line through (1, 1), (2, 2) and (3, 3) has slope 1 and
# intercept 0.

line = st.LeastSquares(np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 3.0]))
np.testing.assert_allclose(st.normal_equation(line).w, [1, 0], atol=1e-14)

# %%
# What it costs
# -------------
# Forming :math:`X^T X` takes :math:`n d^2 / 2` multiplications, because the matrix is
# symmetric. Factoring it takes :math:`d^3 / 6`. A step of descent reads X once and
# takes :math:`2 n d`, so T steps take :math:`2 T n d`. By this count the closed form is
# cheaper for few features and descent for many. With a million rows and 100 steps the
# costs are equal at d = 400, or 4 T.


def closed_form_cost(n, d):
    """Count the multiplications of forming X'X and of its Cholesky factor."""
    return n * d**2 / 2 + d**3 / 6


def descent_cost(n, d, n_steps):
    """Count the multiplications of plain descent."""
    return 2 * n_steps * n * d


widths = np.arange(1.0, 2_000)
cheaper = closed_form_cost(1_000_000, widths) < descent_cost(1_000_000, widths, 100)
assert widths[cheaper].max() == 399

# %%
# Measured
# --------
# Counts are not times. Here are the times of both methods on one thread, the best of
# three, for 4,000 rows of random data. 30 steps are enough here, because the loss is
# then within a thousandth of the lowest. The picture depends on the machine. On every
# machine, one curve is steeper than the other. :doc:`Another page </closed-form>`
# measures larger problems with more care.


def best_time(solve, objective):
    """Return what solve returns, and its best time of three in seconds."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        result = solve(objective)
        times.append(time.perf_counter() - started)
    return result, min(times)


def descend(objective):
    """Take 30 steps."""
    return st.minimize(objective, None, st.GradientDescent(0.3), max_epochs=30)


widths = [8, 16, 32, 64, 128, 256, 512]
seconds = {"normal equation": [], "30 steps of descent": []}
with st.threads(1):
    for objective in [problem(4_000, d) for d in widths]:
        closed, time_closed = best_time(st.normal_equation, objective)
        descent, time_descent = best_time(descend, objective)
        assert descent.value < 1.001 * closed.value
        seconds["normal equation"].append(time_closed)
        seconds["30 steps of descent"].append(time_descent)

figure, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
for name, values in seconds.items():
    ax.loglog(widths, values, "o-", lw=2, label=name)
ax.set(xlabel="features d", ylabel="seconds")
ax.set_xticks(widths, widths)
ax.minorticks_off()
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# When there is no one answer
# ---------------------------
# If columns depend on one another, :math:`X^T X` has no inverse. Then
# ``st.normal_equation`` warns, states the rank, and returns the shortest of all
# answers. Here the second column is twice the first.

x = rng.standard_normal(100)
doubled = st.LeastSquares(np.column_stack([x, 2 * x]), 5 * x, intercept=False)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    shortest = st.normal_equation(doubled)
print(caught[0].message)
assert (shortest.rank, shortest.method) == (1, "svd")
np.testing.assert_allclose(shortest.w, [1, 2], rtol=1e-9)
