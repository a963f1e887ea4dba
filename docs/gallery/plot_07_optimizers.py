r"""
Optimizers compared on a ravine
===============================

**The question.** When does a rate for each parameter help, and when does it not?

A ravine has steep walls and a floor with hardly any slope. Plain descent does badly
there. Momentum sums the gradients. AdaGrad, RMSProp and Adam give each parameter a rate
of its own, which depends on the size of its past gradients:

.. math:: w \leftarrow w - \eta \, \frac{g}{\sqrt{G} + \epsilon} .

In AdaGrad, G is the sum of all squared gradients. In RMSProp it is a decaying average
of them. Adam also replaces g by an average of the gradients. It corrects both averages
for their start at 0.
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# %%
# The ravine is :math:`f(x, y) = (x^2 + 100 y^2) / 2`. Its condition number is 100. At
# the start the gradient is (10, 100).

scales = np.array([1.0, 100.0])
ravine = st.Function(
    lambda w: (scales @ w**2 / 2, scales * w), 2, lambda w, v: scales * v
)
start = np.array([10.0, 1.0])
assert ravine.gradient(start).tolist() == [10.0, 100.0]

# %%
# The first step
# --------------
# With rate 0.1, AdaGrad and Adam move both parameters by 0.1, although one gradient is
# ten times the other. The reason is that :math:`\sqrt{G} = |g|` at the first step.
# RMSProp has :math:`G = 0.1 g^2` and moves them by :math:`0.1 / \sqrt{0.1} = 0.316`.
# Adam without its bias correction divides :math:`0.1 g` by :math:`\sqrt{0.001} |g|`. It
# also moves them by 0.316, which is too far for a first step.


def first_step(optimizer):
    """Return how far the first step goes, for each parameter."""
    w = start.copy()
    optimizer.step(w, ravine.gradient(w))
    return start - w


np.testing.assert_allclose(first_step(st.AdaGrad(0.1)), 0.1)
np.testing.assert_allclose(first_step(st.Adam(0.1)), 0.1)
np.testing.assert_allclose(first_step(st.RMSProp(0.1)), 0.316, atol=5e-4)
np.testing.assert_allclose(
    first_step(st.Adam(0.1, bias_correction=False)), 0.316, atol=5e-4
)
np.testing.assert_allclose(first_step(st.GradientDescent(0.001)), [0.01, 0.1])

# %%
# Six runs
# --------
# Plain descent uses its best rate, 2 / 101, and both forms of momentum use theirs (see
# :ref:`sphx_glr_course_plot_05_momentum.py`). The rates of the adaptive optimizers were
# found by trial. A run ends when the norm of the gradient is below 0.001.

optimizers = {
    "plain": st.GradientDescent(2 / 101),
    "momentum": st.Momentum(4 / 11**2, momentum=(9 / 11) ** 2),
    "Nesterov": st.Momentum(1 / 100, momentum=9 / 11, nesterov=True),
    "AdaGrad": st.AdaGrad(3.0),
    "RMSProp": st.RMSProp(st.schedules.ExponentialDecay(0.3, factor=0.5, every=50)),
    "Adam": st.Adam(0.3, beta1=0.8, beta2=0.99),
}
best = st.curvature(ravine, start)
assert round(best.condition_number, 9) == 100
found = (best.best_learning_rate, best.best_momentum, best.best_momentum_learning_rate)
np.testing.assert_allclose(found, (2 / 101, (9 / 11) ** 2, 4 / 11**2))


def descend(objective, w0):
    """Run each optimizer from w0."""
    options = {
        "max_epochs": 5000,
        "stop": st.stop.GradientNorm(1e-3),
        "record_path": True,
    }
    return {
        name: st.minimize(objective, w0, optimizer, **options)
        for name, optimizer in optimizers.items()
    }


straight = descend(ravine, start)

# %%
# The same, turned
# ----------------
# A rate for each parameter helps if the floor of the ravine runs along one parameter.
# After a turn by 45 degrees it runs along none. For plain descent and momentum this
# changes nothing. They take the same steps, turned. The adaptive optimizers need more
# steps. AdaGrad, the fastest on the straight ravine, becomes the slowest.

turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
hessian = turn @ np.diag(scales) @ turn.T
turned_ravine = st.Function(
    lambda w: (w @ hessian @ w / 2, hessian @ w), 2, lambda w, v: hessian @ v
)
turned = descend(turned_ravine, turn @ start)

print(f"{'steps':10}{'straight':>10}{'turned':>10}")
for name in optimizers:
    print(f"{name:10}{straight[name].n_steps:10}{turned[name].n_steps:10}")

n_straight = {name: run.n_steps for name, run in straight.items()}
n_turned = {name: run.n_steps for name, run in turned.items()}
for name in ("plain", "momentum", "Nesterov"):
    assert n_straight[name] == n_turned[name]
    np.testing.assert_allclose(
        turned[name].path, straight[name].path @ turn.T, atol=1e-9
    )
for name in ("AdaGrad", "RMSProp", "Adam"):
    assert n_straight[name] < n_turned[name]
assert min(n_straight, key=n_straight.get) == "AdaGrad"
assert max(n_turned, key=n_turned.get) == "AdaGrad"

# %%
# The paths on the straight ravine:


def draw(objective, runs, window):
    """Draw the six paths, each in a panel of its own."""
    _, axes = plt.subplots(3, 2, figsize=(7.2, 8.4), layout="constrained")
    for ax, (name, run) in zip(axes.flat, runs.items(), strict=True):
        st.plot.contour(objective, run, limits=window, resolution=61, ax=ax)
        ax.set(title=f"{name}: {run.n_steps} steps", xlabel="x", ylabel="y")
        ax.label_outer()
        ax.get_legend().remove()


draw(ravine, straight, ((-2, 11), (-5, 5)))

# %%
# And on the turned one:

draw(turned_ravine, turned, ((-3, 10.5), (-3, 10.5)))

# %%
# How far each optimizer has come after each step, with a solid line on the straight
# ravine and a dashed one on the turned one. For the first three optimizers they are the
# same line.

figure, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
for i, name in enumerate(optimizers):
    for runs, dashes in ((straight, "-"), (turned, "--")):
        values = np.maximum(runs[name].history["loss"], 1e-7)
        label = name if runs is straight else None
        ax.semilogy(values, dashes, lw=1.6, color=f"C{i}", label=label)
ax.set(xlabel="step", ylabel="f", xlim=(0, 400), ylim=(1e-7, None))
ax.legend(frameon=False, ncols=2)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Exercises
# ---------
# 1. The gradient is always the same number g. How long is step t of AdaGrad?
#
#    .. answer::
#
#       G is :math:`t g^2`, so the step is :math:`\eta / \sqrt{t}`, whatever g is.
#
# 2. And that of RMSProp, after many steps?
#
#    .. answer::
#
#       G becomes :math:`g^2`, so the step becomes :math:`\eta`. RMSProp forgets, and
#       AdaGrad does not.
#
# 3. Somebody measures the loss in other units, which makes it a thousand times as
#    large. Which optimizers need a new rate?
#
#    .. answer::
#
#       Plain descent and momentum, whose steps grow with the gradient. AdaGrad, RMSProp
#       and Adam take the same steps, up to their epsilon.

ada, rms, w_ada, w_rms = st.AdaGrad(0.1), st.RMSProp(0.1), np.zeros(1), np.zeros(1)
for _ in range(400):
    before = w_ada[0], w_rms[0]
    ada.step(w_ada, np.array([7.0]))
    rms.step(w_rms, np.array([7.0]))
np.testing.assert_allclose(before[0] - w_ada[0], 0.1 / np.sqrt(400), rtol=1e-6)
np.testing.assert_allclose(before[1] - w_rms[0], 0.1, rtol=1e-6)
small, large = st.Adam(0.1), st.Adam(0.1)
w_small, w_large = start.copy(), start.copy()
for _ in range(50):
    small.step(w_small, ravine.gradient(w_small))
    large.step(w_large, 1000 * ravine.gradient(w_large))
np.testing.assert_allclose(w_large, w_small, rtol=1e-6)

# %%
# Reading
# -------
# * John Duchi, Elad Hazan and Yoram Singer, *Adaptive Subgradient Methods for Online
#   Learning and Stochastic Optimization*, 2011: AdaGrad.
# * Diederik Kingma and Jimmy Ba, *Adam: A Method for Stochastic Optimization*, 2015.
# * Sebastian Ruder, *An overview of gradient descent optimization algorithms*, 2016:
#   all update rules of this course side by side.
# * :doc:`/play/race`: the six of them on other surfaces.
