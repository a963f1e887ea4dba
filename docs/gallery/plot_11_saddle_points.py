r"""
Saddle points and local minima
==============================

Where the gradient is zero, descent does not move. Such a point is a minimum, a maximum
or a saddle. The eigenvalues of the Hessian tell which. They are all positive, all
negative, or some of each. If one of them is zero, they cannot tell.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# %%
# Three surfaces
# --------------
# These three surfaces have the gradient 0 at (1, 2):
#
# .. math::
#    E_A &= (w_0 - 1)^2 + (w_1 - 2)^2 + 1 \\
#    E_B &= -(w_0 - 1)^2 - (w_1 - 2)^2 + 12 \\
#    E_C &= -(w_0 - 1)^2 + (w_1 - 2)^2 + 1

point = np.array([1.0, 2.0])


def surface(signs, constant):
    """Return the surface with these signs of its two squares."""
    signs = np.array(signs)
    return st.Function(
        lambda w: (signs @ (w - point) ** 2 + constant, 2 * signs * (w - point)),
        n_parameters=2,
        hessian_product=lambda w, v: 2 * signs * v,
    )


surfaces = {
    "E_A": surface([1, 1], 1),
    "E_B": surface([-1, -1], 12),
    "E_C": surface([-1, 1], 1),
}
kinds = {}
for name, objective in surfaces.items():
    curvature = st.curvature(objective, point)
    kinds[name] = curvature.kind
    print(f"{name}: a {curvature.kind}, eigenvalues {curvature.eigenvalues}")
    assert np.array_equal(objective.gradient(point), [0, 0])
assert kinds == {"E_A": "minimum", "E_B": "maximum", "E_C": "saddle"}
assert [objective.value(point) for objective in surfaces.values()] == [1, 12, 1]
assert np.array_equal(surfaces["E_A"].hessian(point), 2 * np.eye(2))

figure = plt.figure(figsize=(12, 4.6), layout="constrained")
for column, (name, objective) in enumerate(surfaces.items(), start=1):
    ax = figure.add_subplot(1, 3, column, projection="3d")
    st.plot.surface(objective, limits=((-1, 3), (0, 4)), ax=ax)
    ax.set_title(f"${name}$: {kinds[name]}", y=1.02)
    ax.set_zlabel("")

# %%
# Leaving a saddle
# ----------------
# On :math:`E_C` the distance in :math:`w_1` shrinks and the distance in :math:`w_0`
# grows. If descent starts exactly on the ridge, at :math:`w_0 = 1`, it runs into the
# saddle and stays there. Its diagnosis says so.

saddle = surfaces["E_C"]


def descend(w0):
    """Take 80 steps from (w0, 4), without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.DiagnosisWarning)
        return st.minimize(
            saddle,
            np.array([w0, 4.0]),
            st.GradientDescent(0.1),
            max_epochs=80,
            record_path=True,
        )


on_the_ridge = descend(1.0)
print(on_the_ridge.diagnosis)
assert on_the_ridge.diagnosis.kind == "saddle"
np.testing.assert_allclose(on_the_ridge.w, point, atol=1e-6)

# %%
# If descent starts a millionth beside the ridge, it comes near the saddle, slows down
# and leaves. The distance grows by a factor of 1.2 a step.

beside = descend(1 + 1e-6)
off = beside.path[:, 0] - 1
np.testing.assert_allclose(off, 1e-6 * 1.2 ** np.arange(81), rtol=1e-6)
norms = beside.history["gradient_norm"]
slowest = int(np.argmin(norms))
print(f"slowest at step {slowest}, where the gradient's norm is {norms[slowest]:.1e}")
assert 20 < slowest < 60
assert beside.w[0] > 2

# %%
# Two minima
# ----------
# :math:`f(w) = w^4 - 5 w^2 + w + 4` has two minima. The start decides which one descent
# finds. From 0.1 it finds the lower one, -3.855394 at -1.628949. From 0.2 it finds the
# other one, -0.694706 at 1.528544. The maximum between them, 4.050101 at 0.100405, is
# the watershed.

quartic = st.Function(
    lambda w: (w[0] ** 4 - 5 * w[0] ** 2 + w[0] + 4, 4 * w**3 - 10 * w + 1),
    n_parameters=1,
    hessian_product=lambda w, v: (12 * w**2 - 10) * v,
)
stop = st.stop.GradientNorm(1e-10)
for start, end, value in [(0.1, -1.628949, -3.855394), (0.2, 1.528544, -0.694706)]:
    run = st.minimize(
        quartic, np.array([start]), st.GradientDescent(0.02), max_epochs=1000, stop=stop
    )
    np.testing.assert_allclose((run.w[0], run.value), (end, value), atol=5e-7)
    assert st.curvature(quartic, run.w).kind == "minimum"
top = np.array([0.100405])
assert abs(quartic.value(top) - 4.050101) < 5e-7
assert abs(quartic.gradient(top)[0]) < 1e-5

# %%
# Several starts
# --------------
# Nobody knows where the watershed is, so one start is a gamble. ``starts=8`` adds seven
# random starts to the given one, runs descent from each and keeps the best result.
# ``result.starts`` has all of them.

result = st.minimize(
    quartic,
    np.array([0.2]),
    st.GradientDescent(0.02),
    max_epochs=1000,
    stop=stop,
    starts=8,
    random_state=0,
)
ends = [run.w[0] for run in result.starts]
print(np.round(ends, 3))
np.testing.assert_allclose(
    (result.w[0], result.value), (-1.628949, -3.855394), atol=5e-7
)
assert len(ends) == 8

grid = np.linspace(-2.4, 2.4, 300)
figure, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
ax.plot(grid, [quartic.value(np.array([w])) for w in grid], color="0.6", lw=2)
ax.plot(
    ends,
    [run.value for run in result.starts],
    "o",
    color="C0",
    mec="white",
    ms=9,
    label="where the starts end",
)
ax.plot(result.w, result.value, "*", color="C3", ms=15, label="the best of them")
ax.plot(top, quartic.value(top), "^", color="0.3", ms=8, label="the watershed")
ax.set(xlabel="w", ylabel="f(w)")
ax.legend(frameon=False, loc="upper center")
ax.spines[["top", "right"]].set_visible(False)
