r"""
Batch, stochastic and mini-batch
================================

**The question.** Is it better to take few exact steps or many cheap ones?

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

rows = {name: 200 * run.n_epochs for name, run in runs.items()}
for name, run in runs.items():
    figure, ax = plt.subplots(figsize=(4.8, 4.2), layout="constrained")
    st.plot.contour(
        objective, run, minimum=best, limits=((-1.4, 2.6), (-1.4, 1.8)), ax=ax
    )
    ax.set(xlabel="slope", ylabel="intercept")
    ax.set_title(f"{name}: {run.n_steps} updates, {rows[name]:,} rows read")
    if name != "batch":
        ax.get_legend().remove()

assert rows == {"batch": 20_000, "stochastic": 400, "mini-batch of 32": 2_400}

# %%
# Updates and rows
# ----------------
# The three runs took 100, 400 and 84 updates. These read 20,000, 400 and 2,400 rows. So
# the same runs look different over updates and over rows. An update of batch descent
# brings most. Per row read, stochastic descent is far ahead, until its noise stops it.

lowest = objective.value(best)
colours = dict(zip(runs, ("#0072B2", "#D55E00", "#009E73"), strict=True))
for unit in ("updates", "rows read"):
    figure, ax = plt.subplots(figsize=(4.8, 3.8), layout="constrained")
    for name, run in runs.items():
        excess = [objective.value(w) - lowest for w in run.path]
        size = {"batch": 200, "stochastic": 1, "mini-batch of 32": 200 / 7}[name]
        x_of_step = np.arange(len(excess)) * (size if unit == "rows read" else 1)
        ax.loglog(x_of_step[1:], excess[1:], color=colours[name], lw=1.6, label=name)
    ax.set(xlabel=unit, ylabel="loss above the lowest", ylim=(1e-6, 30))
    ax.spines[["top", "right"]].set_visible(False)
    if unit == "updates":
        ax.legend(frameon=False, loc="lower left")
steps = {name: run.n_steps for name, run in runs.items()}
assert steps == {"batch": 100, "stochastic": 400, "mini-batch of 32": 84}

# %%
# How far they wander
# -------------------
# The last half of each path shows how far the runs wander. One seed may be lucky, so
# here are ten orders of the rows for each batch size. In every one of them a mini-batch
# wanders less than a single sample does. Batch descent has no order to draw, and ends
# closer to the best line.


def wandering(run):
    """Root mean square distance from the best line, over the last half of a path."""
    half = run.path[len(run.path) // 2 :]
    return np.sqrt(np.mean(np.sum((half - best) ** 2, axis=1)))


def wanderings(batch_size, n_epochs, rate=0.1):
    """Return how far ten runs wander, which differ in the order of the rows."""
    start, found = np.array([-1.0, -1.0]), []
    for seed in range(10):
        run = st.minimize(
            objective,
            start,
            st.GradientDescent(rate),
            batch_size=batch_size,
            max_epochs=n_epochs,
            random_state=seed,
            record_path=True,
            diagnose=False,
        )
        found.append(wandering(run))
    return np.array(found)


distances = {1: wanderings(1, 20), 8: wanderings(8, 20), 32: wanderings(32, 20)}
figure, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
for i, values in enumerate(distances.values()):
    ax.plot(values, [i] * 10, "o", ms=8, alpha=0.5, mec="white")
ax.set(xlabel="distance from the best line", ylabel="batch size", xlim=(0, None))
ax.set_yticks(range(3), distances, minor=False)
ax.set_ylim(-0.5, 2.5)
ax.spines[["top", "right"]].set_visible(False)
assert distances[32].max() < distances[1].min()
assert np.linalg.norm(runs["batch"].w - best) < distances[32].min()

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

# %%
# Exercises
# ---------
# 1. How many updates has an epoch of 1,000 rows with B = 64, and how many rows has the
#    last batch?
#
#    .. answer::
#
#       16 updates. Fifteen full batches use 960 rows, so 40 are left.
#
# 2. Stochastic descent wanders. What does a tenth of the learning rate change?
#
#    .. answer::
#
#       It wanders less, by about the root of ten, but it needs more steps to come near
#       the best line.
#
# 3. What is mini-batch descent with a batch size of n?
#
#    .. answer::
#
#       Batch descent, bit for bit. Every batch has all rows, so no order is drawn.

assert (-(-1000 // 64), 1000 - 15 * 64) == (16, 40)
assert 2 < wanderings(1, 20).mean() / wanderings(1, 40, rate=0.01).mean() < 5
whole, again = (
    st.minimize(objective, None, st.GradientDescent(0.1), batch_size=B, max_epochs=9)
    for B in (200, None)
)
assert whole.w.tobytes() == again.w.tobytes()

# %%
# Reading
# -------
# * Herbert Robbins and Sutton Monro, *A Stochastic Approximation Method*, 1951.
# * Léon Bottou, Frank Curtis and Jorge Nocedal, *Optimization Methods for Large-Scale
#   Machine Learning*, SIAM Review, 2018: why noise is worth its price on large data.
# * :doc:`/play/valley` has a slider for the batch size.
