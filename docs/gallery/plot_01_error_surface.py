r"""
The error surface
=================

**The question.** What does a program look for when it fits a line, and how does it know
which way to go?

Fitting a line :math:`y = \text{slope} \cdot x + \text{intercept}` means choosing two
numbers. Each choice has an error. Here it is the mean squared error over the n points:

.. math::
   E(\text{slope}, \text{intercept})
   = \frac{1}{n} \sum_i (\text{slope} \cdot x_i + \text{intercept} - y_i)^2 .

All choices form a plane. The error, drawn above that plane, is the error surface.
Fitting means finding its lowest point.
"""

import matplotlib.pyplot as plt
import numpy as np

import steepest as st

# %%
# Three points
# ------------
# The points are (1, 1), (2, 2) and (3, 3). The best line is y = x. It has slope 1,
# intercept 0 and error 0. We begin far from it, with slope 0 and intercept 4. In
# ``steepest`` the intercept is the last parameter.

x = np.array([[1.0], [2.0], [3.0]])
y = np.array([1.0, 2.0, 3.0])
objective = st.LeastSquares(x, y)
start = np.array([0.0, 4.0])

# %%
# Down the slope
# --------------
# The gradient holds the two partial derivatives,
#
# .. math::
#    \frac{\partial E}{\partial \text{slope}} = \frac{2}{n} \sum_i r_i x_i, \qquad
#    \frac{\partial E}{\partial \text{intercept}} = \frac{2}{n} \sum_i r_i ,
#
# where :math:`r_i` is the error of the line at point i. At the start these errors are
# 3, 2 and 1, so the gradient is 20/3 for the slope and 4 for the intercept.

gradient = objective.gradient(start)
print(gradient)
np.testing.assert_allclose(gradient, [20 / 3, 4], rtol=1e-14)

# %%
# The gradient points in the direction in which the surface rises most. A step of
# gradient descent goes the opposite way. Its length is the learning rate times that of
# the gradient. With a rate of 0.1 it leads to slope -2/3 and intercept 3.6.

result = st.minimize(
    objective, start, st.GradientDescent(0.1), max_epochs=2000, record_path=True
)
np.testing.assert_allclose(result.path[1], [-2 / 3, 3.6], rtol=1e-14)

# %%
# The first step makes the slope worse: it becomes -2/3, and the best slope is 1. Even
# so, the error falls from 14/3 to 1.92. Then the path turns into the valley and follows
# it to slope 1 and intercept 0.

loss = result.history["loss"]
assert abs(loss[0] - 14 / 3) < 1e-12
assert round(loss[1], 2) == 1.92
np.testing.assert_allclose(result.w, [1, 0], atol=1e-12)

# %%
# Two pictures of one surface
# ---------------------------
# One picture shows the surface itself. The other shows its level curves from above.
# Both show the same path.

figure = plt.figure(figsize=(5.4, 4.6), layout="constrained")
ax = figure.add_subplot(projection="3d")
st.plot.surface(objective, result, minimum=[1.0, 0.0], ax=ax)
ax.set(xlabel="slope", ylabel="intercept", title="from the side")
ax.get_legend().remove()

figure, ax = plt.subplots(figsize=(5.4, 4.6), layout="constrained")
st.plot.contour(objective, result, minimum=[1.0, 0.0], ax=ax)
ax.set(xlabel="slope", ylabel="intercept", title="from above")

# %%
# The same in one dimension
# -------------------------
# For :math:`f(x) = x^2 + 2` the surface is a parabola. The gradient is one number, the
# slope :math:`2x`. At 2 the value is 6 and the slope is 4. A step with rate 0.1 leads
# to 1.6, where the value is 4.56.

parabola = st.Function(lambda w: (w[0] ** 2 + 2, 2 * w), n_parameters=1)
value, slope = parabola.value_and_gradient(np.array([2.0]))
assert (value, slope[0]) == (6.0, 4.0)
step = st.minimize(parabola, np.array([2.0]), st.GradientDescent(0.1), max_epochs=1)
assert round(step.w[0], 12) == 1.6
assert round(step.value, 12) == 4.56

# %%
# Exercises
# ---------
# 1. At slope 1 and intercept 1, what is the gradient? Compute it by hand.
#
#    .. answer::
#
#       All three errors are 1, so the gradient is :math:`\frac{2}{3} (1 + 2 + 3) = 4`
#       for the slope and :math:`\frac{2}{3} \cdot 3 = 2` for the intercept.
#
# 2. The slope was wrong by 1 at the start and by 5/3 after the first step. How can the
#    error have fallen?
#
#    .. answer::
#
#       The gradient is a promise about both numbers together. The line was far too
#       high, and lowering the slope lowers it. It pays for that later, when the path
#       turns into the valley.
#
# 3. Up to which learning rate does descent arrive here? The Hessian is 2/3 times the
#    matrix of rows (14, 6) and (6, 3).
#
#    .. answer::
#
#       Its larger eigenvalue is :math:`\frac{2}{3} \cdot \frac{17 + \sqrt{265}}{2} =
#       11.1`, and the bound is 2 / 11.1 = 0.18.
#       :ref:`sphx_glr_course_plot_03_learning_rates.py` derives it.

assert objective.gradient(np.array([1.0, 1.0])).tolist() == [4, 2]
assert round(1 - result.path[1, 0], 12) == round(5 / 3, 12)
largest = st.curvature(objective, start).eigenvalues[-1]
assert round(largest, 1) == round(2 / 3 * (17 + 265**0.5) / 2, 1) == 11.1
assert round(2 / largest, 2) == 0.18

# %%
# Reading
# -------
# * Augustin-Louis Cauchy, *Méthode générale pour la résolution des systèmes
#   d'équations simultanées*, 1847: the first descent along the gradient.
# * Stephen Boyd and Lieven Vandenberghe, *Convex Optimization*, 2004, chapter 9:
#   descent, its rates, and Newton's method.
