r"""
Stopping rules and early stopping
=================================

**The question.** When is a run done, and can it be over before the loss is lowest?

When is a run done? Every run has a largest number of epochs. It can also have rules
about what it has reached:

* ``GradientNorm``: the gradient is nearly 0,
  :math:`\lVert \nabla f \rVert \le \varepsilon`.
* ``LossChange``: an epoch has hardly changed the loss.
* ``ParameterChange``: an epoch has hardly moved the parameters.
* ``NoImprovement``: the loss on other data, kept back for validation, has stopped
  falling. This rule is early stopping.

You can give several rules at once. The first rule to fire ends the run, and the result
says which rule it was.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer

import steepest as st

# %%
# Which rule fires first
# ----------------------
# On :math:`f(w) = w^2` with rate 0.1 each step multiplies w by 0.8. So everything can
# be computed by hand. The run starts at 1. The gradient is :math:`2 \cdot 0.8^t`, which
# is at most 0.001 after 35 steps. The change of the loss is
# :math:`0.36 \cdot 0.64^{t-1}`, which is at most 0.001 after 15 steps. The length of
# the step is :math:`0.2 \cdot 0.8^{t-1}`, which is at most 0.001 after 25 steps.

parabola = st.Function(lambda w: (w @ w, 2 * w), n_parameters=1)
rules = [
    st.stop.GradientNorm(1e-3),
    st.stop.LossChange(1e-3),
    st.stop.ParameterChange(1e-3),
]


def run_until(stop):
    """Descend from 1 with rate 0.1."""
    return st.minimize(
        parabola, np.ones(1), st.GradientDescent(0.1), max_epochs=100, stop=stop
    )


steps = {}
for rule in rules:
    run = run_until(rule)
    steps[run.stop_reason] = run.n_steps
    print(f"{run.stop_reason:16} fires after {run.n_steps:3} steps, at {run.w[0]:.6f}")
assert steps == {"GradientNorm": 35, "LossChange": 15, "ParameterChange": 25}
assert run_until(rules).stop_reason == "LossChange"

# %%
# A small change is not a small error. ``LossChange`` ended the run at 0.035, when the
# gradient was 70 times its bound.

assert round(run_until(rules[1]).w[0], 3) == 0.035
assert round(run_until(rules[1]).history["gradient_norm"][-1] / 1e-3) == 70

# %%
# Without a rule the run ends at its last epoch. The result does not call this
# convergence.

unfinished = st.minimize(parabola, np.ones(1), st.GradientDescent(0.1), max_epochs=10)
assert (unfinished.stop_reason, unfinished.converged) == ("max_epochs", False)

# %%
# Early stopping
# --------------
# A logistic model of 30 features separates malignant from benign tumours. It gets only
# 60 of the 569 samples for training, so that it overfits easily. 200 other samples are
# for validation. Means and deviations come from the training rows only.

X, y = load_breast_cancer(return_X_y=True)
y = y.astype(float)
order = np.random.default_rng(2).permutation(len(y))
training, held_out = order[:60], order[60:260]
assert X.shape == (569, 30)
mean, deviation = X[training].mean(axis=0), X[training].std(axis=0)
X = (X - mean) / deviation
objective = st.Logistic(X[training], y[training])

# %%
# The training loss falls at every epoch, because larger parameters fit the 60 points a
# little better each time. The validation loss falls and then rises. ``NoImprovement``
# waits ``patience`` epochs for a lower validation loss and then ends the run. The run
# returns the parameters of the best epoch, not those of the last one.


def descend(stop=()):
    """Descend for at most 1000 epochs."""
    held_out_data = (X[held_out], y[held_out])
    return st.minimize(
        objective,
        optimizer=st.GradientDescent(0.5),
        max_epochs=1000,
        validation=held_out_data,
        stop=stop,
        diagnose=False,
    )


run = descend(st.stop.NoImprovement(patience=30))
validation = run.history["validation_loss"]
print(f"stopped after {run.n_epochs} epochs, the best one was {run.best_epoch}")
assert run.stop_reason == "NoImprovement"
assert run.best_epoch == np.argmin(validation)
assert run.n_epochs == run.best_epoch + 30

# %%
# Without the rule the run takes all 1000 epochs. The training loss then falls to less
# than a fifth of its value at the best epoch. The validation loss becomes nearly twice
# its value at the best epoch.

to_the_end = descend()
training_loss, validation_loss = (
    to_the_end.history["loss"],
    to_the_end.history["validation_loss"],
)
assert np.all(np.diff(training_loss) < 0)
assert training_loss[-1] < training_loss[run.best_epoch] / 5
assert 1.8 < validation_loss[-1] / validation_loss[run.best_epoch] < 2

ax = st.plot.loss_curve(to_the_end, log=True)
ax.axvline(run.n_epochs, color="0.6", lw=1, ls=":")
ax.annotate(
    "stopped here",
    (run.n_epochs, training_loss[0]),
    xytext=(6, -4),
    textcoords="offset points",
)

# %%
# Exercises
# ---------
# 1. After how many steps does ``GradientNorm(1e-6)`` fire on the parabola?
#
#    .. answer::
#
#       When :math:`2 \cdot 0.8^t` is at most a millionth, which is after 66 steps.
#
# 2. A rate of 0.0001 and ``LossChange(1e-3)``: where does the run end?
#
#    .. answer::
#
#       After one step, at 0.9998. A short step changes the loss little, wherever it is.
#       Judge by the gradient where you can.
#
# 3. The validation loss at the best epoch is 0.1. Do new patients have a loss of 0.1?
#
#    .. answer::
#
#       A little more, on average. The epoch was chosen because its validation loss is
#       low, by luck too. Keep a third part of the data to report.

assert run_until(st.stop.GradientNorm(1e-6)).n_steps == 66
short = st.minimize(
    parabola,
    np.ones(1),
    st.GradientDescent(1e-4),
    max_epochs=100,
    stop=st.stop.LossChange(1e-3),
)
assert (short.n_steps, round(short.w[0], 4)) == (1, 0.9998)

# %%
# Reading
# -------
# * Lutz Prechelt, *Early Stopping - But When?*, 1998.
# * Trevor Hastie, Robert Tibshirani and Jerome Friedman, *The Elements of Statistical
#   Learning*, second edition, 2009, chapter 7: training, validation and test.
