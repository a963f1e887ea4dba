r"""
The quadratic model and the condition number
============================================

**The question.** Why does one learning rate have to serve steep and flat directions,
and what does that cost?

Near a point w, every smooth function looks like a quadratic. This quadratic is its
Taylor model of second order:

.. math::
   m(u) = f(w) + \nabla f(w) \cdot (u - w) + \tfrac{1}{2} (u - w) \cdot H (u - w) .

H is the Hessian, the matrix of second derivatives. Near w, descent does what it does on
the model. On a quadratic, everything can be computed.
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# sphinx_gallery_thumbnail_number = 3

# %%
# Models of sine and cosine
# -------------------------
# At 1 the model of the sine is
# :math:`\sin 1 + \cos 1 \, (x - 1) - \frac{\sin 1}{2} (x - 1)^2`, and likewise at 5.
# At 0 the model of the cosine is :math:`1 - x^2 / 2`. ``st.taylor`` makes the model.
# You can call it, and it is an objective itself.

sine = st.Function(lambda w: (np.sin(w[0]), np.cos(w)), 1, lambda w, v: -np.sin(w) * v)
cosine = st.Function(
    lambda w: (np.cos(w[0]), -np.sin(w)), 1, lambda w, v: -np.cos(w) * v
)


def by_hand(point, x):
    """Return the model of the sine at a point, by its formula."""
    s, c, step = np.sin(point), np.cos(point), x - point
    return s + c * step - s / 2 * step**2


x = np.linspace(-1, 1, 9)
models = {point: st.taylor(sine, np.array([point])) for point in (1.0, 5.0)}
at_zero = st.taylor(cosine, np.array([0.0]))
for point, model in models.items():
    np.testing.assert_allclose(
        model((point + x)[:, None]), by_hand(point, point + x), rtol=1e-12
    )
np.testing.assert_allclose(at_zero(x[:, None]), 1 - x**2 / 2, rtol=1e-12)

# %%
# A model has the value, the slope and the curvature of the function at its point, and
# nothing else. So it is good close to the point and bad far away. Half a unit from 1
# the error is 0.01, and three units away it is 0.57.

model = st.taylor(sine, np.array([1.0]))
assert round(abs(model(np.array([1.5])) - np.sin(1.5)), 2) == 0.01
assert round(abs(model(np.array([4.0])) - np.sin(4.0)), 2) == 0.57

about_sine = {
    f"at {point:g}": st.taylor(sine, np.array([point])) for point in (1.0, 5.0)
}
for curve, models, limits, name in [
    (sine, about_sine, (-1.5, 7.5), "sin x"),
    (cosine, {"at 0": at_zero}, (-4, 4), "cos x"),
]:
    figure, ax = plt.subplots(figsize=(5.2, 4), layout="constrained")
    st.plot.taylor(curve, models, limits=limits, ax=ax)
    ax.set(xlabel="x", ylabel=name, ylim=(-1.4, 2.4))
    ax.legend(frameon=False, loc="upper center", ncols=2)

# %%
# Two directions
# --------------
# :math:`f(x, y) = 4x^2 + y^2` has the gradient :math:`(8x, 2y)`. The gradient is
# perpendicular to the level curve through the point. The level curve is the ellipse
# :math:`(\frac{r}{2} \cos t, r \sin t)`. Its tangent times the gradient is 0
# everywhere.

bowl = st.Function(
    lambda w: (4 * w[0] ** 2 + w[1] ** 2, np.array([8, 2]) * w),
    n_parameters=2,
    hessian_product=lambda w, v: np.array([8, 2]) * v,
)
angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
points = np.column_stack([np.cos(angles), 2 * np.sin(angles)])
tangents = np.column_stack([-np.sin(angles), 2 * np.cos(angles)])
gradients = np.array([bowl.gradient(point) for point in points])
np.testing.assert_allclose(np.sum(gradients * tangents, axis=1), 0, atol=1e-12)

# %%
# The Hessian is diagonal. Its eigenvalues are 8 and 2. Their ratio is the condition
# number, 4. The steep direction needs a learning rate below 2/8 = 0.25. The best rate
# is 2/(8 + 2) = 0.2. It multiplies the distance in both directions by 0.6. In the steep
# direction the steps also change sides.

curvature = st.curvature(bowl, np.array([1.0, 2.0]))
print(curvature)
np.testing.assert_allclose(curvature.eigenvalues, [2, 8])
found = (
    curvature.condition_number,
    curvature.max_learning_rate,
    curvature.best_learning_rate,
)
np.testing.assert_allclose(found, (4, 0.25, 0.2))

start = np.array([1.0, 2.0])
run = st.minimize(bowl, start, st.GradientDescent(0.2), max_epochs=20, record_path=True)
t = np.arange(21)
np.testing.assert_allclose(
    run.path, np.column_stack([(-0.6) ** t, 2 * 0.6**t]), atol=1e-12
)

ax = st.plot.contour(
    bowl, run, minimum=[0, 0], eigenvectors=curvature, limits=((-2.1, 3.3), (-2.6, 2.6))
)
t = np.linspace(0, 2 * np.pi, 200)
ax.plot(np.cos(t), 2 * np.sin(t), color="0.25", lw=1.6, zorder=2, label="level 4")
for i in (1, 4, 10, 14, 17, 20):
    tip = points[i] + 0.7 * gradients[i] / np.linalg.norm(gradients[i])
    ax.annotate("", tip, points[i], arrowprops={"arrowstyle": "->", "color": "0.25"})
ax.set(xlabel="x", ylabel="y", aspect="equal")
ax.legend(framealpha=0.9, edgecolor="none", fontsize=9, loc="upper right")

# %%
# The dark ellipse is the level curve of 4. The arrows show the
# direction of the gradient there. Each is perpendicular to that curve.

assert np.allclose([bowl.value(point) for point in points], 4)

# %%
# In closed form
# --------------
# On any quadratic, each step of gradient descent multiplies the distance along an
# eigenvector by a factor of its own:
#
# .. math:: c_i(t) = (1 - \eta \lambda_i)^t \, c_i(0) .
#
# ``model.descent`` computes the path from this formula, without taking a step. Descent
# takes the same path.

in_closed_form = st.taylor(bowl, start).descent(0.2, 20)
np.testing.assert_allclose(run.path, in_closed_form, atol=1e-12)

# %%
# A larger condition number means slower descent. At the best rate the largest factor is
# :math:`(\kappa - 1) / (\kappa + 1)`. It is 0.6 for 4 and 0.98 for 100.

assert (4 - 1) / (4 + 1) == 0.6
assert round((100 - 1) / (100 + 1), 2) == 0.98

# %%
# Exercises
# ---------
# 1. What is the largest factor at the best rate for a condition number of 9?
#
#    .. answer::
#
#       (9 - 1) / (9 + 1) = 0.8.
#
# 2. Write down the model of :math:`e^x` at 0. How large is its error at 0.5?
#
#    .. answer::
#
#       The model is :math:`1 + x + x^2 / 2`. At 0.5 it is 1.625, and :math:`e^{0.5}` is
#       1.649, so the error is 0.024.
#
# 3. A Newton step goes to the minimum of the model. How many such steps does the bowl
#    need?
#
#    .. answer::
#
#       One, from everywhere, since the bowl is its own model: :math:`w - H^{-1} \nabla
#       f(w)` is the minimum.

assert (9 - 1) / (9 + 1) == 0.8
assert round(np.exp(0.5), 3) == 1.649
assert round(np.exp(0.5) - 1.625, 3) == 0.024
newton = start - np.linalg.solve(bowl.hessian(start), bowl.gradient(start))
np.testing.assert_allclose(newton, 0, atol=1e-14)

# %%
# Reading
# -------
# * Stephen Boyd and Lieven Vandenberghe, *Convex Optimization*, 2004, chapter 9:
#   descent, its rates, and Newton's method.
# * Jorge Nocedal and Stephen Wright, *Numerical Optimization*, second edition, 2006,
#   chapter 2: models, and chapter 3: rates of descent.
