r"""
Saddle points and local minima
==============================

**The question.** Where does descent stop that is not the lowest point, and how does it
get away?

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
for objective in surfaces.values():
    assert np.array_equal(objective.gradient(point), [0, 0])
assert kinds == {"E_A": "minimum", "E_B": "maximum", "E_C": "saddle"}
assert [objective.value(point) for objective in surfaces.values()] == [1, 12, 1]
assert np.array_equal(surfaces["E_A"].hessian(point), 2 * np.eye(2))

# %%
# A star marks the stationary point of each surface. A run starts beside each: 30 steps
# with a rate of 0.1, from (0.9, 3.8) on the first and the last surface, and from (1.1,
# 2.1), near the top, on the second. Only the first run ends at the star.

ends = {}
for name, objective in surfaces.items():
    start = np.array([1.1, 2.1] if name == "E_B" else [0.9, 3.8])
    run = st.minimize(
        objective,
        start,
        st.GradientDescent(0.1),
        max_epochs=30,
        record_path=True,
        diagnose=False,
    )
    ends[name] = run.path[-1]
    inside = np.all(np.abs(run.path - point) <= 2, axis=1)
    figure = plt.figure(figsize=(4.8, 4.4), layout="constrained")
    ax = figure.add_subplot(projection="3d")
    st.plot.surface(
        objective, run.path[inside], minimum=point, limits=((-1, 3), (0, 4)), ax=ax
    )
    ax.set_title(f"${name}$: {kinds[name]}", y=1.02)
    ax.set_zlabel("")
    ax.get_legend().remove()
np.testing.assert_allclose(ends["E_A"], point, atol=0.01)
assert np.linalg.norm(ends["E_B"] - point) > 10
assert abs(ends["E_C"][0] - 1) > 10

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

figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
shown = {"on the ridge": on_the_ridge.path, "a millionth beside it": beside.path}
st.plot.contour(saddle, shown, limits=((-1, 3), (0, 4.2)), ax=ax)
ax.plot(*point, "X", color="black", mec="white", ms=12, zorder=6, label="saddle")
ax.legend(framealpha=0.9, edgecolor="none", fontsize=9, loc="lower left")
ax.set(xlabel="$w_0$", ylabel="$w_1$")

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
lower, upper = (
    st.minimize(
        quartic, np.array([start]), st.GradientDescent(0.02), max_epochs=1000, stop=stop
    )
    for start in (0.1, 0.2)
)
np.testing.assert_allclose((lower.w[0], lower.value), (-1.628949, -3.855394), atol=5e-7)
np.testing.assert_allclose((upper.w[0], upper.value), (1.528544, -0.694706), atol=5e-7)
for run in (lower, upper):
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
    record_path=True,
)
ends = [run.w[0] for run in result.starts]
print(np.round(ends, 3))
np.testing.assert_allclose(
    (result.w[0], result.value), (-1.628949, -3.855394), atol=5e-7
)
assert len(ends) == 8

begun = np.array([run.path[0, 0] for run in result.starts])
assert begun[0] == 0.2
assert [end > 0 for end in ends] == [w > top[0] for w in begun]
grid = np.linspace(-2.4, 2.4, 300)
figure, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
ax.plot(grid, [quartic.value(np.array([w])) for w in grid], color="0.6", lw=2)
for i, (run, begin) in enumerate(zip(result.starts, begun, strict=True)):
    colour = "C0" if run.w[0] < top[0] else "C1"
    height = 6.2 + 0.55 * i  # each run has a line of its own, above the curve
    ax.plot([begin, run.w[0]], [height, height], color=colour, lw=1.4)
    ax.plot(begin, height, "o", mfc="white", mec=colour, mew=1.5, ms=6)
    ax.plot(run.w[0], height, "o", color=colour, ms=6)
    ax.plot(begin, quartic.value(np.array([begin])), "o", mfc="white", mec=colour, ms=6)
ax.plot([], [], "o", mfc="white", mec="0.3", ls="", label="one of eight starts")
ax.plot([], [], "o", color="0.3", ls="", label="where it ends")
ax.plot(result.w, result.value, "*", color="C3", ms=15, label="the best of them")
ax.plot(top, quartic.value(top), "^", color="0.3", ms=8, label="the watershed")
ax.axvline(top[0], color="0.6", lw=1, ls=":")
ax.set(xlabel="w", ylabel="f(w)", ylim=(-5, 14.5))
ax.legend(frameon=False, loc="upper center", ncols=2)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Exercises
# ---------
# 1. Find the stationary points of :math:`x^3 / 3 - x + y^2`, and say what they are.
#
#    .. answer::
#
#       The gradient is :math:`(x^2 - 1, 2y)`, which is zero at (1, 0) and (-1, 0). The
#       eigenvalues are 2x and 2, so the first is a minimum and the second a saddle.
#
# 2. On the third surface a run starts a millionth beside the ridge. After how many
#    steps is it farther than 1 from the ridge?
#
#    .. answer::
#
#       The distance grows by 1.2 a step, and :math:`1.2^t` passes a million at step 76.
#
# 3. A random start finds the lower minimum with probability 1/2. How likely do eight
#    starts find it?
#
#    .. answer::
#
#       With probability :math:`1 - 0.5^8 = 0.996`. In many dimensions there are many
#       more valleys, and the probability of one start is smaller.

cubic = st.Function(
    lambda w: (w[0] ** 3 / 3 - w[0] + w[1] ** 2, np.array([w[0] ** 2 - 1, 2 * w[1]])),
    n_parameters=2,
    hessian_product=lambda w, v: np.array([2 * w[0], 2]) * v,
)
for x, kind in ((1.0, "minimum"), (-1.0, "saddle")):
    assert st.curvature(cubic, np.array([x, 0.0])).kind == kind
assert np.argmax(off > 1) == np.ceil(np.log(1e6) / np.log(1.2)) == 76
assert round(1 - 0.5**8, 3) == 0.996

# %%
# Reading
# -------
# * Yann Dauphin and others, *Identifying and attacking the saddle point problem in
#   high-dimensional non-convex optimization*, 2014.
# * Jason Lee, Max Simchowitz, Michael Jordan and Benjamin Recht, *Gradient Descent Only
#   Converges to Minimizers*, 2016.
# * :doc:`/play/surface`: turn a saddle.
