r"""
The normal equation against descent
===================================

**The question.** If least squares has a formula for its answer, why descend?

Least squares has an answer in closed form. Where the gradient is zero,

.. math:: X^T X \, w = X^T y .

This is a system of d linear equations, the normal equation. Then why use descent at
all? The reason is the cost of the closed form.
"""

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
# Counts are not times. The times below were measured on one thread of a virtual machine
# with 4,096 rows, for condition numbers of 10 and 10,000. Descent ends when the excess
# over the minimum has shrunk by a factor of a million. :doc:`Another page
# </closed-form>` has all of the measurements, and says how they were made.

widths = [16, 64, 256, 512, 1_024, 2_048]
milliseconds = {
    10: {
        "normal equation": [0.779, 2.49, 21.2, 82.3, 258, 1_280],
        "heavy ball": [0.983, 1.78, 8.47, 32.3, 60.3, 99.5],
        "gradient descent": [1.5, 3.05, 12.6, 59.2, 123, 191],
    },
    10_000: {
        "normal equation": [1.08, 3, 12.9, 42.5, 212, 1_030],
        "heavy ball": [43.5, 85.5, 135, 651, 1_860, 2_720],
        "gradient descent": [1_930, 3_100, 4_490, 29_000, 68_200, 111_000],
    },
}
for condition, times in milliseconds.items():
    figure, ax = plt.subplots(figsize=(5.2, 4.2), layout="constrained")
    for name, values in times.items():
        ax.loglog(widths, values, "o-", lw=2, label=name)
    ax.set(xlabel="features d", ylabel="milliseconds", ylim=(0.5, 2e5))
    ax.set_title(f"condition number {condition:,}")
    ax.set_xticks(widths, widths)
    ax.minorticks_off()
    ax.legend(frameon=False, loc="upper left")
    ax.spines[["top", "right"]].set_visible(False)

# %%
# With a condition number of 10, heavy ball is faster from 64 features on, and at 2,048
# it is 13 times as fast. With 10,000 the formula wins at every width here, and plain
# descent is hopeless. Each curve of the formula is steeper than the two of descent.

well, ill = milliseconds.values()
faster = np.array(well["heavy ball"]) < well["normal equation"]
assert faster.tolist() == [False, True, True, True, True, True]
assert round(well["normal equation"][-1] / well["heavy ball"][-1]) == 13
assert np.all(np.array(ill["heavy ball"]) > ill["normal equation"])
steepness = [
    {name: values[-1] / values[0] for name, values in times.items()}
    for times in milliseconds.values()
]
for growth in steepness:
    assert max(growth, key=growth.get) == "normal equation"

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

# %%
# Exercises
# ---------
# 1. With a million rows and 10 steps, at how many features are the costs equal?
#
#    .. answer::
#
#       At d = 40, or 4 T, as long as d is small against n.
#
# 2. The condition number of X is 1,000. What is that of :math:`X^T X`?
#
#    .. answer::
#
#       Its square, a million. The normal equation squares what descent suffers from
#       once, in its steps, and what rounding costs.
#
# 3. How does a penalty help where columns depend on one another?
#
#    .. answer::
#
#       With :math:`\frac{\alpha}{2} \lVert w \rVert^2` the Hessian gains :math:`\alpha`
#       on its diagonal. No eigenvalue is 0 any more, so there is one answer, near the
#       shortest one.

equal = closed_form_cost(1_000_000, widths_of := np.arange(1.0, 100))
assert widths_of[equal < descent_cost(1_000_000, widths_of, 10)].max() == 39
scales = np.diag([1.0, 1000.0])
np.testing.assert_allclose(np.linalg.cond(scales.T @ scales), 1e6)
ridge = st.LeastSquares(doubled.X, doubled.y, intercept=False, alpha=1e-6)
np.testing.assert_allclose(st.normal_equation(ridge).w, [1, 2], atol=1e-5)

# %%
# Reading
# -------
# * Gene Golub and Charles Van Loan, *Matrix Computations*, fourth edition, 2013:
#   Cholesky, QR and what rounding does to them.
# * Lloyd Trefethen and David Bau, *Numerical Linear Algebra*, 1997, lectures 11 and 19.
