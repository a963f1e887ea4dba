r"""
The secret-number game
======================

**The question.** How far should a step go, and what happens if it goes too far?

Someone adds a secret number :math:`\theta` to every number that you name. You say 2
and hear 4, say 3 and hear 5, say 5 and hear 7, say 8 and hear 10. The model is
:math:`y = x + \theta`. It has a single parameter. The loss is the mean squared error

.. math:: E(\theta) = \frac{1}{n} \sum_i (x_i + \theta - y_i)^2 .

Nobody needs gradient descent to see that the secret is 2. This makes it a good game to
learn from. We know the answer, so we can see whether and how the method finds it.
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# %%
# The game as an objective
# ------------------------
# A linear model predicts :math:`x_i \cdot w`. The only feature is a column of ones, and
# the target is :math:`y - x`. Then w is the secret number, and no intercept is needed.

x = np.array([2.0, 3.0, 5.0, 8.0])
heard = np.array([4.0, 5.0, 7.0, 10.0])
game = st.LeastSquares(np.ones((4, 1)), heard - x, intercept=False)


def play(objective, learning_rate, steps):
    """Return the guesses of gradient descent, from 5."""
    optimizer = st.GradientDescent(learning_rate)
    return st.minimize(
        objective, np.array([5.0]), optimizer, max_epochs=steps, record_path=True
    ).path[:, 0]


# %%
# A step that is too long
# -----------------------
# The slope is :math:`E'(\theta) = 2 (\theta - 2)`, so one step multiplies the distance
# to the secret by a fixed factor:
#
# .. math:: \theta_{t+1} - 2 = (1 - 2 \eta) (\theta_t - 2) .
#
# With the learning rate :math:`\eta = 1` the factor is -1. The guess jumps from one
# side to the other. The distance stays the same, and the guess never stops.

forever = play(game, 1.0, 8)
print(forever)
assert forever.tolist() == [5.0, -1.0, 5.0, -1.0, 5.0, -1.0, 5.0, -1.0, 5.0]

# %%
# A shorter one
# -------------
# With :math:`\eta = 0.75` the factor is -0.5. The guess still changes sides at each
# step, but the distance halves. The guesses are 5, 0.5, 2.75, 1.625, and so on to 2.

guesses = play(game, 0.75, 50)
print(guesses[:6])
assert guesses[:4].tolist() == [5.0, 0.5, 2.75, 1.625]
np.testing.assert_allclose(guesses[:20] - 2, 3 * (-0.5) ** np.arange(20.0), rtol=1e-10)
assert abs(guesses[-1] - 2) < 1e-12

# %%
# The picture shows both games on the same curve. Each arrow is one step.

grid = np.linspace(-1.8, 5.8, 200)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, path, title in [
    (axes[0], forever[:5], "rate 1: a cycle"),
    (axes[1], guesses[:5], "rate 0.75: to 2"),
]:
    losses = np.array([game.value(np.array([theta])) for theta in path])
    ax.plot(grid, (grid - 2) ** 2, color="0.75", lw=2)
    for start in range(len(path) - 1):
        ends = {
            "xy": (path[start + 1], losses[start + 1]),
            "xytext": (path[start], losses[start]),
        }
        ax.annotate(
            "",
            **ends,
            arrowprops={"arrowstyle": "->", "color": "C0", "shrinkA": 4, "shrinkB": 4},
        )
    ax.plot(path, losses, "o", color="C0", mec="white", ms=7)
    ax.plot(2, 0, "*", color="C3", ms=11)
    ax.set(title=title, xlabel=r"guess $\theta$")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("mean squared error")

# %%
# A game with noise
# -----------------
# Now the answers are not exact. They are 3, 6, 5 and 12. No number explains them all.
# The differences are 1, 3, 0 and 4. The best guess is their mean, 2. The error there is
# not 0 but 2.5. This error is noise, and no guess removes it.

noisy = st.LeastSquares(
    np.ones((4, 1)), np.array([3.0, 6.0, 5.0, 12.0]) - x, intercept=False
)
best = play(noisy, 0.25, 60)[-1]
remaining = noisy.value(np.array([best]))
print(f"best guess {best:.6f}, error there {remaining:.6f}")
assert abs(best - 2) < 1e-12
assert abs(remaining - 2.5) < 1e-12

# %%
# Exercises
# ---------
# 1. With which learning rate does one step suffice, whatever the first guess?
#
#    .. answer::
#
#       The factor :math:`1 - 2 \eta` must be 0, so the rate is 0.5.
#
# 2. In the game with noise, the first guess is 5 and the rate 0.75. What are the next
#    three guesses?
#
#    .. answer::
#
#       The same as without noise: 0.5, 2.75 and 1.625. The mean of the differences is 2
#       in both games, and noise adds a constant to the loss, which no gradient sees.
#
# 3. Somebody takes the sum of the four squares and not their mean. What does a rate of
#    0.25 do?
#
#    .. answer::
#
#       The slope is four times as steep, so the factor is :math:`1 - 8 \cdot 0.25 =
#       -1`. The guess jumps forever. A rate belongs to the scale of its loss.

assert play(game, 0.5, 1)[-1] == 2
np.testing.assert_allclose(play(noisy, 0.75, 3), [5, 0.5, 2.75, 1.625])
assert 1 - 0.25 * 2 * 4 == -1

# %%
# Reading
# -------
# * Aston Zhang, Zachary Lipton, Mu Li and Alexander Smola, *Dive into Deep Learning*,
#   2023, section 12.3: the same in one dimension.
# * Stephen Boyd and Lieven Vandenberghe, *Convex Optimization*, 2004, chapter 9:
#   descent, its rates, and Newton's method.
