r"""
Optimizers compared on a ravine
===============================

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
# The pictures show four of the runs, above on the straight ravine and below on the
# turned one:

figure, axes = plt.subplots(2, 4, figsize=(12, 5.6), layout="constrained")
windows = [((-2, 11), (-5, 5)), ((-3, 10.5), (-3, 10.5))]
for row, objective, runs, window in zip(
    axes, (ravine, turned_ravine), (straight, turned), windows, strict=True
):
    for ax, name in zip(row, ("plain", "momentum", "AdaGrad", "Adam"), strict=True):
        st.plot.contour(objective, runs[name], limits=window, resolution=61, ax=ax)
        ax.set(title=f"{name}: {runs[name].n_steps} steps", xlabel="", ylabel="")
        ax.get_legend().remove()
