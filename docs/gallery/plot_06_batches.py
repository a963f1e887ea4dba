r"""
Batch, stochastic and mini-batch
================================

The loss is a mean over n samples, and so is its gradient. For each update, batch
descent uses all samples, stochastic descent uses one, and mini-batch descent uses B.
With fewer samples an update is cheaper and noisier.

One epoch uses each sample once, whatever the batch. The number of updates differs. It
is 1 in batch descent, n in stochastic descent and :math:`\lceil n / B \rceil` in
mini-batch descent.
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# %%
# A line, 200 points
# ------------------
# The points lie around the line with slope 2 and intercept 1. The line that fits these
# points best is near that one.

rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, 200)
y = 2 * x + 1 + rng.normal(0, 0.5, 200)
objective = st.LeastSquares(x[:, None], y)
slope, intercept = np.polyfit(x, y, 1)
best = np.array([slope, intercept])
print(f"best line: slope {slope:.3f}, intercept {intercept:.3f}")
assert abs(slope - 2) < 0.2
assert abs(intercept - 1) < 0.1

# %%
# Counting updates
# ----------------
# With 200 samples an epoch has 1 update in batch descent and 200 in stochastic descent.
# With B = 32 it has 7: six full batches and one of the 8 samples that are left.
# ``diagnose=False`` turns off a warning. It comes when the loss of a noisy run falls no
# further, and here we want to see that.

runs = {}
for name, batch_size, n_epochs in [
    ("batch", None, 100),
    ("stochastic", 1, 2),
    ("mini-batch of 32", 32, 12),
]:
    runs[name] = st.minimize(
        objective,
        np.array([-1.0, -1.0]),
        st.GradientDescent(0.1),
        batch_size=batch_size,
        max_epochs=n_epochs,
        random_state=0,
        record_path=True,
        diagnose=False,
    )
    n_steps = runs[name].n_steps
    print(f"{name}: {n_steps // n_epochs} updates an epoch, {n_steps} in all")

updates = {name: run.n_steps / run.n_epochs for name, run in runs.items()}
assert updates == {"batch": 1, "stochastic": 200, "mini-batch of 32": 7}
assert 200 - 6 * 32 == 8

# %%
# Three ways down
# ---------------
# Batch descent goes straight to the best line and stays there. Stochastic descent gets
# near it at once and then wanders, because each sample pulls towards a line of its own.
# A mini-batch is in between.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.3), layout="constrained")
for ax, (name, run) in zip(axes, runs.items(), strict=True):
    st.plot.contour(
        objective, run, minimum=best, limits=((-1.4, 2.6), (-1.4, 1.8)), ax=ax
    )
    ax.set(title=f"{name}: {run.n_steps} updates", xlabel="slope", ylabel="intercept")
for ax in axes[:2]:
    ax.get_legend().remove()

# %%
# How far they wander
# -------------------
# The last half of each path shows how far the runs wander. Batch descent ends closer to
# the best line than a mini-batch. A mini-batch wanders less than a single sample does.


def wandering(run):
    """Root mean square distance from the best line, over the last half of a path."""
    half = run.path[len(run.path) // 2 :]
    return np.sqrt(np.mean(np.sum((half - best) ** 2, axis=1)))


distances = {name: float(wandering(run)) for name, run in runs.items()}
print({name: round(distance, 3) for name, distance in distances.items()})
assert distances["mini-batch of 32"] < distances["stochastic"]
assert np.linalg.norm(runs["batch"].w - best) < distances["mini-batch of 32"]

# %%
# Each sample once
# ----------------
# Why not draw samples at random each time? Then an epoch would use some samples twice
# and others not at all. An example shows that each sample is used once. With
# :math:`X = I`, only sample i moves parameter i. From zeros, an update moves it by
# :math:`2 \eta y_i`.

targets = np.arange(1.0, 11.0)
own = st.LeastSquares(np.eye(10), targets, intercept=False)
w = st.minimize(
    own, None, st.GradientDescent(0.01), batch_size=1, max_epochs=1, random_state=3
).w
np.testing.assert_allclose(w, 2 * 0.01 * targets)
