r"""
Momentum in flat and steep directions
=====================================

**The question.** How can one rate be large along the floor of a valley and small
between its walls?

Momentum keeps a velocity. The velocity is a sum of past gradients. With each step that
a gradient is older, its weight shrinks by a factor :math:`\mu`:

.. math:: v_t = \mu v_{t-1} + g_t, \qquad w_t = w_{t-1} - \eta v_t .

Two kinds of gradient show the effect. Along the floor of a valley the gradient never
changes. Between the walls of the valley it changes its sign at each step.
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# sphinx_gallery_thumbnail_number = 2

# %%
# The effective rate
# ------------------
# With a constant gradient g the velocity becomes
# :math:`g (1 + \mu + \mu^2 + \cdots) = g / (1 - \mu)`. With an alternating gradient
# it becomes :math:`g (1 - \mu + \mu^2 - \cdots) = g / (1 + \mu)`. Take
# :math:`\eta = 0.1` and :math:`\mu = 0.9`. Then a step along the floor becomes ten
# times as long. It is as long as a step of plain descent with rate 1. A step between
# the walls becomes about half as long, like a step of plain descent with rate 0.0526.

learning_rate, mu, n_steps = 0.1, 0.9, 60


def step_lengths(gradients):
    """Feed gradients to the optimizer and return how far each step went."""
    optimizer, w, lengths = st.Momentum(learning_rate, momentum=mu), np.zeros(1), []
    for gradient in gradients:
        before = w.copy()
        optimizer.step(w, np.array([gradient]))
        lengths.append(abs(w - before)[0])
    return np.array(lengths)


flat = step_lengths([1.0] * n_steps)
steep = step_lengths([1.0, -1.0] * (n_steps // 2))
print(f"{flat[-1]:.4f} along the floor, {steep[-1]:.4f} between the walls")

t = np.arange(1, n_steps + 1)
np.testing.assert_allclose(flat, learning_rate * (1 - mu**t) / (1 - mu))
np.testing.assert_allclose(steep, learning_rate * (1 - (-mu) ** t) / (1 + mu))
assert abs(learning_rate / (1 - mu) - 1.0) < 1e-12
assert abs(learning_rate / (1 + mu) - 0.0526) < 5e-5

figure, ax = plt.subplots(figsize=(7.2, 4), layout="constrained")
ax.plot(t, flat, lw=2, label="constant gradient")
ax.plot(t, steep, lw=2, label="alternating gradient")
for rate, text in [
    (learning_rate / (1 - mu), r"$\eta / (1 - \mu)$"),
    (learning_rate / (1 + mu), r"$\eta / (1 + \mu)$"),
]:
    ax.axhline(rate, color="0.6", lw=1, ls="--", zorder=0)
    ax.annotate(
        text, (n_steps, rate), xytext=(0, 5), textcoords="offset points", ha="right"
    )
ax.set(xlabel="step", ylabel="length of the step", ylim=(0, 1.15))
ax.legend(frameon=False, loc="center right")
ax.spines[["top", "right"]].set_visible(False)

# %%
# In a valley
# -----------
# :math:`f(x, y) = (x^2 + 25 y^2) / 2` is 25 times as steep in y as in x. The curvature
# gives the best numbers for both methods. For plain descent they are
# :math:`\eta = 2 / (1 + 25) = 1/13`, and each step leaves 12/13 of the distance. For
# heavy ball they are :math:`\mu = ((\sqrt{25} - 1) / (\sqrt{25} + 1))^2 = 4/9` and
# :math:`\eta = 4 / (1 + 5)^2 = 1/9`. In the long run each step leaves 4/6.

scales = np.array([1.0, 25.0])
valley = st.Function(
    lambda w: (scales @ w**2 / 2, scales * w), 2, lambda w, v: scales * v
)
start = np.array([10.0, 1.0])
best = st.curvature(valley, start)
found = (best.best_learning_rate, best.best_momentum, best.best_momentum_learning_rate)
np.testing.assert_allclose(found, (1 / 13, 4 / 9, 1 / 9))

optimizers = {
    "plain": st.GradientDescent(best.best_learning_rate),
    "momentum": st.Momentum(
        best.best_momentum_learning_rate, momentum=best.best_momentum
    ),
}
stop = st.stop.GradientNorm(1e-6)
runs = {
    name: st.minimize(
        valley, start, optimizer, max_epochs=1000, stop=stop, record_path=True
    )
    for name, optimizer in optimizers.items()
}
print({name: run.n_steps for name, run in runs.items()})
assert 3.5 < runs["plain"].n_steps / runs["momentum"].n_steps < 4
ratios = np.linalg.norm(runs["plain"].path[1:], axis=1) / np.linalg.norm(
    runs["plain"].path[:-1], axis=1
)
np.testing.assert_allclose(ratios, 12 / 13)

# %%
# Both paths begin at the same start. Beside them stands the loss after each step. Plain
# descent loses the same part at each step. Momentum begins slowly, because its velocity
# begins at 0.

figure, ax = plt.subplots(figsize=(5.4, 4.2), layout="constrained")
st.plot.contour(valley, runs, ax=ax)
ax.set(xlabel="x (flat)", ylabel="y (steep)", title="the valley from above")

figure, ax = plt.subplots(figsize=(5.4, 4.2), layout="constrained")
for name, colour, place in [("plain", "#0072B2", 0.6), ("momentum", "#D55E00", 0.9)]:
    run = runs[name]
    losses = run.history["loss"]
    ax.semilogy(losses, lw=2, color=colour)
    ax.annotate(
        f"{name}: {run.n_steps} steps",
        (len(losses) * place, losses[int(len(losses) * place)]),
        xytext=(6, 4),
        textcoords="offset points",
        color=colour,
    )
ax.set(xlabel="step", ylabel="loss", title="the loss after each step")
ax.spines[["top", "right"]].set_visible(False)
assert (runs["plain"].n_steps, runs["momentum"].n_steps) == (214, 54)

# %%
# No momentum at all
# ------------------
# With :math:`\mu = 0` the velocity is the gradient. The method is then plain gradient
# descent, bit for bit.

without = st.minimize(valley, start, st.Momentum(0.05, momentum=0.0), max_epochs=50)
plain = st.minimize(valley, start, st.GradientDescent(0.05), max_epochs=50)
assert without.w.tobytes() == plain.w.tobytes()

# %%
# Exercises
# ---------
# 1. With :math:`\mu = 0.99` and :math:`\eta = 0.01`, how long is a step along the
#    floor, compared with plain descent?
#
#    .. answer::
#
#       As long as one of plain descent with rate 0.01 / (1 - 0.99) = 1, a hundred times
#       as long.
#
# 2. What do both methods leave of the distance at each step, at best, if the condition
#    number is 100?
#
#    .. answer::
#
#       Plain descent leaves 99/101 = 0.980, and momentum 9/11 = 0.818.
#
# 3. In the valley, take :math:`\mu = 0.9` and not 4/9. Why does the run need more
#    steps?
#
#    .. answer::
#
#       In the long run each step leaves :math:`\sqrt{\mu}` of the distance in every
#       direction that overshoots: 0.949 and not 0.667. The path swings past the minimum
#       and back.

assert round(0.01 / (1 - 0.99), 12) == 1
assert (round(99 / 101, 3), round(9 / 11, 3)) == (0.980, 0.818)
assert (round(0.9**0.5, 3), round((4 / 9) ** 0.5, 3)) == (0.949, 0.667)
too_much = st.minimize(
    valley, start, st.Momentum(1 / 9, momentum=0.9), max_epochs=1000, stop=stop
)
assert too_much.n_steps > 3 * runs["momentum"].n_steps

# %%
# Reading
# -------
# * Gabriel Goh, *Why Momentum Really Works*, Distill, 2017: the same analysis, with
#   pictures to move.
# * Boris Polyak, *Some methods of speeding up the convergence of iteration methods*,
#   1964: where heavy ball comes from.
# * Ilya Sutskever, James Martens, George Dahl and Geoffrey Hinton, *On the importance
#   of initialization and momentum in deep learning*, 2013.
# * :doc:`/play/valley`: move the sliders yourself.
