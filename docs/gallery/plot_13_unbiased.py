r"""
Mini-batches: unbiased, with 1/B of the variance
================================================

**The question.** Why may one sample stand for all of them?

Why may we replace the gradient of all n samples by that of one sample? The reason is
that both are the same on average. The loss is a mean:

.. math::
   F(w) = \frac{1}{n} \sum_i f_i(w), \qquad
   \nabla F(w) = \frac{1}{n} \sum_i \nabla f_i(w) .

So the gradient of a random sample has the expectation :math:`\nabla F(w)`. This means
that the stochastic gradient is unbiased. The price is variance. A mini-batch of B
samples drawn with replacement divides the variance by B.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# %%
# The mean of the sample gradients
# --------------------------------
# The example is a logistic model of two features and 50 samples, at some w. The mean of
# the 50 gradients is the batch gradient, up to rounding.

rng = np.random.default_rng(1)
X = rng.standard_normal((50, 2))
y = (X @ np.array([1.0, -1.0]) + rng.standard_normal(50) > 0).astype(float)
w = np.array([0.5, 0.5])


def gradient(rows):
    """Return the gradient of the mean loss of some rows."""
    return st.Logistic(X[rows], y[rows], intercept=False).gradient(w)


batch_gradient = gradient(slice(None))
sample_gradients = np.array([gradient([i]) for i in range(50)])
np.testing.assert_allclose(sample_gradients.mean(axis=0), batch_gradient, rtol=1e-12)

# %%
# The gradient of a mini-batch is the mean of the gradients of its samples. Here are 400
# mini-batches of 1, 4 and 16 samples, drawn with replacement. All three clouds lie
# around the same point. A larger batch gives a tighter cloud.

distinct = {}
for size in (1, 4, 16):
    rows = rng.integers(0, 50, (400, size))
    draws = sample_gradients[rows].mean(axis=1)
    points, repeats = np.unique(draws.round(12), axis=0, return_counts=True)
    distinct[size] = len(points)
    figure, ax = plt.subplots(figsize=(4.4, 4), layout="constrained")
    ax.scatter(*points.T, s=12 * repeats, alpha=0.35, lw=0)
    ax.plot(*batch_gradient, "+", color="C3", ms=14, mew=2.5, label="batch gradient")
    ax.set(title=f"mini-batches of {size}", xlim=(-1.2, 1.2), ylim=(-1, 1.4))
    ax.set(xlabel="first component", ylabel="second component")
    ax.spines[["top", "right"]].set_visible(False)
    if size == 1:
        ax.legend(frameon=False, loc="lower right")


# %%
# The area of a dot is the number of mini-batches that have this gradient. There are
# only 50 samples, so the 400 draws of a single one come to 50 places at most, each of
# them about eight times. Of the mini-batches of 4 and of 16 hardly any two are alike.

print(distinct)
assert 45 <= distinct[1] <= 50
assert 400 / 50 == 8
assert distinct[4] == distinct[16] == 400

# %%
# Exactly 1/B
# -----------
# Random draws prove nothing. With 6 samples we can take every possible draw of B = 1,
# 2, 3 and 4 of them, and compute the variance over all :math:`6^B` draws. It is 1/B of
# the variance of a single sample, to the last digits.

six = sample_gradients[:6]
with_replacement, n_draws = {}, {}
for size in (1, 2, 3, 4):
    draws = np.array(list(itertools.product(range(6), repeat=size)))
    n_draws[size] = len(draws)
    with_replacement[size] = six[draws].mean(axis=1).var(axis=0)
for size, variance in with_replacement.items():
    assert n_draws[size] == 6**size
    np.testing.assert_allclose(variance, with_replacement[1] / size, rtol=1e-12)

# %%
# Without replacement
# -------------------
# An epoch draws without replacement, so no sample comes twice. This is better still.
# The variance has one more factor, :math:`(n - B) / (n - 1)`. A batch of all n samples
# has no variance at all.

without_replacement = {}
for size in range(1, 7):
    draws = np.array(list(itertools.combinations(range(6), size)))
    without_replacement[size] = six[draws].mean(axis=1).var(axis=0)
for size, variance in without_replacement.items():
    np.testing.assert_allclose(
        variance,
        with_replacement[1] / size * (6 - size) / 5,
        rtol=1e-12,
        atol=1e-30,
    )

figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for label, variances in [
    ("with replacement", with_replacement),
    ("without", without_replacement),
]:
    ax.plot(
        list(variances),
        [v.sum() / with_replacement[1].sum() for v in variances.values()],
        "o-",
        lw=2,
        label=label,
    )
ax.set(xlabel="batch size B, of 6 samples", ylabel="variance, relative to one sample")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# What matters for a step is the standard deviation. It falls only like
# :math:`1 / \sqrt{B}`. A batch of 100 costs 100 times as much as a single sample and is
# 10 times as exact. So mini-batches are seldom larger than what the machine computes at
# no extra cost, typically 32 to 1024.

assert np.isclose(np.sqrt(1 / 100), 1 / 10)

# %%
# Exercises
# ---------
# 1. How much larger must a batch be to halve the standard deviation of its gradient?
#
#    .. answer::
#
#       Four times as large, since the variance is divided by B.
#
# 2. From 50 samples, a batch of 10 is drawn without replacement. What is its variance,
#    relative to one drawn with replacement?
#
#    .. answer::
#
#       It is 40/49 of it, about 0.82: the factor is (n - B) / (n - 1).
#
# 3. Is the gradient of the second batch of an epoch unbiased?
#
#    .. answer::
#
#       Yes, before the epoch begins: each sample is as likely as any other to be in it.
#       Once the first batch is known it is not, because those samples cannot come
#       again.

assert round((50 - 10) / (50 - 1), 2) == 0.82
order = np.array(list(itertools.permutations(range(4))))
second = sample_gradients[order[:, 2:]].mean(axis=1)  # rows 3 and 4 of each order
np.testing.assert_allclose(second.mean(axis=0), sample_gradients[:4].mean(axis=0))

# %%
# Reading
# -------
# * Léon Bottou, Frank Curtis and Jorge Nocedal, *Optimization Methods for Large-Scale
#   Machine Learning*, SIAM Review, 2018, section 4.
# * Trevor Hastie, Robert Tibshirani and Jerome Friedman, *The Elements of Statistical
#   Learning*, second edition, 2009, section 7: bias and variance.
