r"""
Logistic regression and softmax
===============================

**The question.** How does a line answer yes or no, and which error should it
make small?

A linear model gives any number as its score :math:`z = x \cdot w + b`. A probability
lies between 0 and 1. So we model not the probability p itself but its log-odds, which
can be any number:

.. math::
   \ln \frac{p}{1 - p} = z \quad \Longleftrightarrow \quad
   p = \sigma(z) = \frac{1}{1 + e^{-z}} .

Three odds to one is :math:`z = \ln 3 = 1.0986`, which :math:`\sigma` makes 0.75.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

import steepest as st

# sphinx_gallery_thumbnail_number = 2


def sigmoid(z):
    """Return the probability of log-odds z."""
    return 1 / (1 + np.exp(-z))


assert round(np.log(3), 4) == 1.0986
assert round(sigmoid(np.log(3)), 12) == 0.75

# %%
# The loss, from the likelihood
# -----------------------------
# A row with the target y, 0 or 1, has the probability :math:`p^y (1 - p)^{1 - y}`. The
# rows are independent, so the probability of all targets is the product over the rows.
# Its negative logarithm, divided by n, is the loss:
#
# .. math::
#    F(w) = -\frac{1}{n} \sum_i \left( y_i \ln p_i + (1 - y_i) \ln (1 - p_i) \right)
#    = \frac{1}{n} \sum_i \left( \ln(1 + e^{z_i}) - y_i z_i \right) .
#
# The second form follows from :math:`\ln p = z - \ln(1 + e^z)` and
# :math:`\ln (1 - p) = -\ln(1 + e^z)`. It has no quotient that can overflow.

rng = np.random.default_rng(0)
X = rng.standard_normal((300, 2))
y = (rng.random(300) < sigmoid(X @ [2.0, -1.0] + 0.5)).astype(float)
objective = st.Logistic(X, y)
w = np.array([0.3, -0.2, 0.1])
z = X @ w[:2] + w[2]
p = sigmoid(z)
from_likelihood = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
np.testing.assert_allclose(objective.value(w), from_likelihood, rtol=1e-12)
np.testing.assert_allclose(np.mean(np.log1p(np.exp(z)) - y * z), from_likelihood)

# %%
# Its gradient
# ------------
# The derivative of :math:`\ln(1 + e^z) - y z` is :math:`\sigma(z) - y`, the probability
# minus the target. So the gradient is that of least squares, with another residual:
#
# .. math:: \nabla F(w) = \frac{1}{n} X^T (p - y), \qquad
#    \nabla^2 F(w) = \frac{1}{n} X^T \operatorname{diag}(p (1 - p)) \, X .
#
# The weights :math:`p (1 - p)` are positive and at most 1/4. The loss is convex, and
# descent finds the lowest point from every start.

with_ones = np.column_stack([X, np.ones(300)])
np.testing.assert_allclose(objective.gradient(w), with_ones.T @ (p - y) / 300)
weights = p * (1 - p)
hessian = with_ones.T @ (weights[:, None] * with_ones) / 300
np.testing.assert_allclose(objective.hessian(w), hessian, rtol=1e-10)
assert 0 < weights.min() <= weights.max() <= 1 / 4

result = st.minimize(objective, w, st.GradientDescent(1.0), max_epochs=2000)
print(np.round(result.w, 3))
far = st.minimize(objective, 5 * w, st.GradientDescent(1.0), max_epochs=2000)
np.testing.assert_allclose(result.w, far.w, atol=1e-6)
np.testing.assert_allclose(result.w, [2, -1, 0.5], atol=0.5)

# %%
# Why not the squared error of the label? The picture shows three losses over the
# margin, which is the score times +1 or -1, the sign of the right answer. The squared
# error punishes a score of 3 on the right side as much as one of -1 on the wrong side.
# The logistic loss falls for ever, and grows like a straight line on the wrong side.

margin = np.linspace(-3, 4, 200)
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(margin, margin < 0, color="0.5", lw=2, label="wrong or right")
ax.plot(margin, (1 - margin) ** 2, lw=2, label="squared error of +1 and -1")
ax.plot(margin, np.log1p(np.exp(-margin)), lw=2, label="logistic loss")
ax.set(xlabel="margin", ylabel="loss", ylim=(-0.1, 5))
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
assert (1 - 3) ** 2 == (1 - -1) ** 2

# %%
# More than two classes
# ---------------------
# Each class c gets a score of its own, :math:`z_c = x \cdot w_c + b_c`. Softmax makes
# probabilities of them: :math:`p_c = e^{z_c} / \sum_k e^{z_k}`. The loss is again the
# negative logarithm of the probability of the right class,
# :math:`\ln \sum_k e^{z_k} - z_y`, and its gradient again the probability minus the
# target, which is 1 for the right class and 0 for the others.
#
# The example has 150 irises of three species and two of their measurements.

features, species = load_iris(return_X_y=True)
petals = np.ascontiguousarray(features[:, 2:])
assert petals.shape == (150, 2)
softmax = st.Softmax(petals, species.astype(float), alpha=1e-3)
irises = st.minimize(softmax)
assert irises.converged
W = irises.w


def probabilities(points):
    """Return the probability of each species at some points."""
    z = points @ W[:, :2].T + W[:, 2]
    e = np.exp(z - z.max(axis=1, keepdims=True))  # no overflow
    return e / e.sum(axis=1, keepdims=True)


right = probabilities(petals).argmax(axis=1) == species
print(f"{right.sum()} of 150 are right")
assert right.sum() >= 143
target = np.eye(3)[species]
residuals = (probabilities(petals) - target).T / 150
gradient = residuals @ petals + 1e-3 * W[:, :2]
np.testing.assert_allclose(softmax.gradient(W)[:, :2], gradient, atol=1e-10)

x, y_grid = np.meshgrid(np.linspace(0.5, 7.2, 200), np.linspace(-0.1, 2.8, 200))
p_grid = probabilities(np.column_stack([x.ravel(), y_grid.ravel()]))
figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
colours = ("#0072B2", "#D55E00", "#009E73")
for c, name in enumerate(("setosa", "versicolor", "virginica")):
    shape = p_grid[:, c].reshape(x.shape)
    ax.contour(x, y_grid, shape, [0.5, 0.9], colors=colours[c], linestyles=["-", ":"])
    ax.plot(
        *petals[species == c].T, "o", ms=5, color=colours[c], mec="white", label=name
    )
ax.set(xlabel="petal length (cm)", ylabel="petal width (cm)")
ax.legend(framealpha=0.9, edgecolor="none", loc="upper left", title="p: 0.5, dots 0.9")
ax.spines[["top", "right"]].set_visible(False)

# %%
# Adding one number to all scores changes no probability. Without a penalty there are
# therefore many answers, all equally good. The penalty chooses the one whose weights
# sum to zero over the classes.

np.testing.assert_allclose(W[:, :2].sum(axis=0), 0, atol=1e-6)
shifted = np.add(W, [1.0, 2.0, 3.0])
free = st.Softmax(petals, species.astype(float))
np.testing.assert_allclose(free.value(shifted), free.value(W), rtol=1e-10)

# %%
# Exercises
# ---------
# 1. Show that softmax with two classes is logistic regression. Which weights has it?
#
#    .. answer::
#
#       :math:`p_1 = e^{z_1} / (e^{z_0} + e^{z_1}) = \sigma(z_1 - z_0)`. The weights of
#       the logistic model are the differences :math:`w_1 - w_0`.
#
# 2. A model without a penalty separates the two classes without an error. What happens
#    to its weights?
#
#    .. answer::
#
#       They grow for ever. Doubling them brings every p nearer to its target, so the
#       loss falls towards 0 and has no lowest point. ``minimize`` warns that the
#       classes are separable. With a penalty there is an answer.
#
# 3. What does least squares on 0 and 1 find on the first data? Compare the signs.
#
#    .. answer::
#
#       The same signs, with smaller weights: it is a line for a curve that is nearly
#       straight in the middle. Its predictions leave the range from 0 to 1.

two = st.Softmax(X, y)
both = np.array([[0.0, 0.0, 0.0], w])
np.testing.assert_allclose(two.value(both), objective.value(w), rtol=1e-12)
separable = st.Logistic(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]))
losses = [separable.value(np.array([scale, 0.0])) for scale in (1.0, 2.0, 4.0, 8.0)]
assert np.all(np.diff(losses) < 0)
line = st.normal_equation(st.LeastSquares(X, y)).w
assert np.array_equal(np.sign(line[:2]), np.sign(result.w[:2]))
assert np.all(np.abs(line[:2]) < np.abs(result.w[:2]))
predicted = with_ones @ line
assert predicted.min() < 0 < 1 < predicted.max()

# %%
# Reading
# -------
# * David Cox, *The Regression Analysis of Binary Sequences*, 1958.
# * Christopher Bishop, *Pattern Recognition and Machine Learning*, 2006, section 4.3.
# * Trevor Hastie, Robert Tibshirani and Jerome Friedman, *The Elements of Statistical
#   Learning*, second edition, 2009, section 4.4.
