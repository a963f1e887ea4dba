r"""
Regularisation
==============

**The question.** Why add something to the loss that has nothing to do with the data?

With many features and few rows, a model fits the noise too. A penalty on large weights
makes the fit to the training rows a little worse, and that to new rows better:

.. math::
   F(w) = \frac{1}{n} \sum_i (x_i \cdot w + b - y_i)^2
   + \alpha \left( \rho \lVert w \rVert_1
   + \frac{1 - \rho}{2} \lVert w \rVert_2^2 \right) .

In ``steepest``, :math:`\alpha` is ``alpha`` and :math:`\rho` is ``l1_ratio``. The
intercept b is not penalised, because the mean of the targets is no sign of a complex
model.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import steepest as st
from steepest import reference

# sphinx_gallery_thumbnail_number = 2

# %%
# The squared penalty shrinks
# ---------------------------
# Take one feature with :math:`\frac{1}{n} \sum_i x_i^2 = 1` and no intercept. The loss
# is :math:`(w - c)^2` plus a constant, where c is the answer of least squares. With the
# squared penalty its derivative is :math:`2 (w - c) + \alpha w`, which is zero at
#
# .. math:: w = \frac{2}{2 + \alpha} \, c .
#
# Every weight shrinks by the same factor, and none becomes exactly 0. With
# :math:`\alpha = 2` the factor is 1/2. In general each eigenvector of the Hessian has
# its own factor, :math:`\lambda / (\lambda + \alpha)`. Directions in which the data say
# little, with a small :math:`\lambda`, shrink most.

rng = np.random.default_rng(0)
x = rng.standard_normal(200)
x /= np.sqrt(np.mean(x**2))
target = 3 * x + rng.standard_normal(200)
c = np.mean(x * target)


def fit_one(alpha, l1_ratio):
    """Return the weight of the one feature."""
    one = st.LeastSquares(
        x[:, None], target, intercept=False, alpha=alpha, l1_ratio=l1_ratio
    )
    return st.minimize(one, stop=st.stop.GradientNorm(1e-12)).w[0]


print(f"least squares {c:.4f}, alpha 2: {fit_one(2.0, 0.0):.4f}")
np.testing.assert_allclose(fit_one(2.0, 0.0), c / 2)
np.testing.assert_allclose(fit_one(0.5, 0.0), 2 / 2.5 * c)

# %%
# The absolute penalty chooses
# ----------------------------
# With :math:`\alpha \lvert w \rvert` the derivative at a positive w is
# :math:`2 (w - c) + \alpha`. It is zero at :math:`c - \alpha / 2`. If that is negative,
# the lowest point is 0 itself. Together this is the soft threshold:
#
# .. math::
#    w = \operatorname{sign}(c) \max(\lvert c \rvert - \alpha / 2, \, 0) .
#
# Every weight moves towards 0 by the same amount. Small ones become exactly 0: their
# features are left out.

np.testing.assert_allclose(fit_one(2.0, 1.0), c - 1)
assert fit_one(2.01 * c, 1.0) == 0.0
assert 0 < fit_one(1.99 * c, 1.0) < 0.02 * c

answers = np.linspace(-3, 3, 201)
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(answers, answers, color="0.6", lw=1.5, ls=":", label="no penalty")
ax.plot(answers, answers / 2, lw=2, label="squared, alpha 2: half")
soft = reference.soft_threshold(answers, 1.0)
ax.plot(answers, soft, lw=2, label="absolute, alpha 2: 1 less")
ax.set(xlabel="answer of least squares", ylabel="answer with the penalty")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Few rows, many features
# -----------------------
# The data are 442 patients with ten measurements. We add all products of two
# measurements, which makes 65 features, and train on 100 patients only.

X, y = load_diabetes(return_X_y=True)
i, j = np.triu_indices(10)
X = np.column_stack([X, X[:, i] * X[:, j]])
order = rng.permutation(442)
train, test = order[:100], order[100:]
mean, deviation = X[train].mean(axis=0), X[train].std(axis=0)
X = (X - mean) / deviation
assert X.shape == (442, 65)
alphas = np.geomspace(1e-1, 1e3, 25)


def errors_and_weights(l1_ratio, strengths):
    """Return the mean squared errors on the training and test rows, and the weights."""
    errors, weights = [], []
    for alpha in strengths:
        objective = st.LeastSquares(X[train], y[train], alpha=alpha, l1_ratio=l1_ratio)
        w = st.minimize(objective).w
        plain = [st.LeastSquares(X[rows], y[rows]).value(w) for rows in (train, test)]
        errors.append(plain)
        weights.append(w[:-1])
    return np.array(errors), np.array(weights)


squared_errors, squared_weights = errors_and_weights(0.0, alphas)
absolute_errors, absolute_weights = errors_and_weights(1.0, alphas)
bare = st.minimize(st.LeastSquares(X[train], y[train])).w
bare_errors = [st.LeastSquares(X[rows], y[rows]).value(bare) for rows in (train, test)]

# %%
# Without a penalty the error on the test rows is over 20 times that on the training
# rows. The best squared penalty brings it to less than a sixth, and so does the best
# absolute one, which uses a fraction of the 65 features.

best_squared = squared_errors[:, 1].argmin()
best_absolute = absolute_errors[:, 1].argmin()
used = int(np.sum(absolute_weights[best_absolute] != 0))
print(
    f"no penalty: {bare_errors[0]:,.0f} on training rows, {bare_errors[1]:,.0f} on test"
)
print(f"squared:  {squared_errors[best_squared, 1]:,.0f} on test rows")
print(
    f"absolute: {absolute_errors[best_absolute, 1]:,.0f} on test rows, {used} features"
)
assert 20 * bare_errors[0] < bare_errors[1]
assert squared_errors[best_squared, 1] < bare_errors[1] / 6
assert absolute_errors[best_absolute, 1] < bare_errors[1] / 6
assert 3 <= used <= 30

for name, errors, weights in [
    ("squared penalty", squared_errors, squared_weights),
    ("absolute penalty", absolute_errors, absolute_weights),
]:
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(5.2, 6), sharex=True, layout="constrained"
    )
    above.semilogx(alphas, errors[:, 0], lw=2, label="training rows")
    above.semilogx(alphas, errors[:, 1], lw=2, label="test rows")
    above.axvline(alphas[errors[:, 1].argmin()], color="0.6", ls=":")
    above.set(title=name, ylabel="mean squared error", ylim=(0, 8000))
    above.legend(frameon=False, loc="lower right")
    below.semilogx(alphas, weights, lw=1)
    below.axvline(alphas[errors[:, 1].argmin()], color="0.6", ls=":")
    below.set(xlabel="alpha", ylabel="weights", ylim=(-60, 60))
    for ax in (above, below):
        ax.spines[["top", "right"]].set_visible(False)

# %%
# Each line below is the weight of one feature. The squared penalty brings all of them
# down together. The absolute one lets them reach zero one after the other. The dotted
# line is the strength with the lowest error on the test rows. Since it was chosen by
# these rows, an honest report needs a third part of the data.
#
# Descent feels a penalty too. The squared penalty adds :math:`\alpha` to every
# eigenvalue, so the condition number falls, and so does the number of steps.

conditions = [
    st.curvature(st.LeastSquares(X[train], y[train], alpha=alpha), np.zeros(66))
    for alpha in (0.1, 10.0)
]
weak, strong = (each.condition_number for each in conditions)
print(f"condition number {weak:,.0f} with alpha 0.1, {strong:,.0f} with 10")
assert strong < weak / 10

# %%
# Exercises
# ---------
# 1. From which alpha on is every weight of an absolute penalty 0?
#
#    .. answer::
#
#       From the largest size of an element of the gradient at w = 0 on, with b the mean
#       of the targets. Below it, the first feature enters: it is the one with the
#       largest correlation.
#
# 2. Somebody measures one feature in grams and not in kilograms. What does a penalty
#    make of that?
#
#    .. answer::
#
#       The feature becomes 1000 times as large and its weight a thousandth, which the
#       penalty hardly sees. The model changes. So standardise before you penalise.
#
# 3. In one dimension, a prior of mean 0 and variance :math:`\tau^2` on w and noise of
#    variance :math:`s^2` lead to a squared penalty. Which alpha?
#
#    .. answer::
#
#       The negative logarithm of prior times likelihood is
#       :math:`\frac{n}{2 s^2} F_0(w) + \frac{w^2}{2 \tau^2}`, where :math:`F_0` is the
#       mean squared error. Divided by :math:`n / (2 s^2)` it has
#       :math:`\alpha = 2 s^2 / (n \tau^2)`. More rows need less of it.

centred = y[train] - y[train].mean()
largest = np.abs(2 / 100 * X[train].T @ centred).max()
_, at_the_edge = errors_and_weights(1.0, [1.001 * largest, 0.99 * largest])
assert np.sum(at_the_edge != 0, axis=1).tolist() == [0, 1]
in_grams = st.LeastSquares(1000 * x[:, None], target, intercept=False, alpha=2.0)
weight = st.normal_equation(in_grams).w[0] * 1000
np.testing.assert_allclose(weight, c, rtol=1e-5)
s, tau = 1.0, 0.5
posterior_mean = (200 / s**2 * c) / (200 / s**2 + 1 / tau**2)
np.testing.assert_allclose(fit_one(2 * s**2 / (200 * tau**2), 0.0), posterior_mean)

# %%
# Reading
# -------
# * Arthur Hoerl and Robert Kennard, *Ridge Regression: Biased Estimation for
#   Nonorthogonal Problems*, 1970.
# * Robert Tibshirani, *Regression Shrinkage and Selection via the Lasso*, 1996.
# * Hui Zou and Trevor Hastie, *Regularization and Variable Selection via the Elastic
#   Net*, 2005: both penalties at once.
# * Trevor Hastie, Robert Tibshirani and Jerome Friedman, *The Elements of Statistical
#   Learning*, second edition, 2009, section 3.4.
