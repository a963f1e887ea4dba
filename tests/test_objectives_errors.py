"""Every bad argument of an objective: the error names it, says what was expected and what came."""

from __future__ import annotations

import math

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, each_loss

X = np.linspace(-1.0, 1.0, 12).reshape(4, 3)
Y = np.array([0.0, 1.0, 1.0, 0.0])
BYTES = np.zeros(X.nbytes + 1, np.uint8)
UNALIGNED = BYTES[1:].view(np.float64)


def with_value(value, at=2):
    array = Y.copy()
    array[at] = value
    return array


# Of each argument: what came, the type of the error, and what its message says was expected and came
BAD_DATA = {
    "X": {
        "a list": (X.tolist(), TypeError, r"float32, float64.* NumPy array.*list.*convert"),
        "nothing": (None, TypeError, r"NumPy array.*None"),
        "of integers": (X.astype(int), TypeError, r"float32, float64.*int64.*astype"),
        "of long precision": (X.astype(np.longdouble), TypeError, r"float32, float64.*(float|longdouble).*astype"),
        "of objects": (X.astype(object), TypeError, r"float32, float64.*object"),
        "complex": (X.astype(complex), TypeError, r"float32, float64.*complex128"),
        "in the other byte order": (X.astype(X.dtype.newbyteorder()), TypeError, r"float64.*astype"),
        "of one dimension": (Y, ValueError, r"two dimensions.*\(4,\)"),
        "of three dimensions": (X[None], ValueError, r"two dimensions.*\(1, 4, 3\)"),
        "without rows": (X[:0], ValueError, r"at least one row.*\(0, 3\)"),
        "without columns": (X[:, :0], ValueError, r"at least one.*column.*\(4, 0\)"),
        "with columns left out": (np.zeros((4, 6))[:, ::2], ValueError, r"contiguous.*strides.*ascontiguousarray"),
        "with rows left out": (np.zeros((8, 3))[::2], ValueError, r"contiguous.*strides.*ascontiguousarray"),
        "a slice of columns": (np.zeros((4, 5))[:, :3], ValueError, r"contiguous.*\(40, 8\)"),
        "upside down": (X[::-1], ValueError, r"contiguous.*-24.*ascontiguousarray"),
        "off its alignment": (UNALIGNED.reshape(4, 3), ValueError, r"align"),
    },
    "y": {
        "a list": (Y.tolist(), TypeError, r"float64 array of shape \(4,\).*list"),
        "of another dtype": (Y.astype(np.float32), TypeError, r"float64.*float32.*astype"),
        "of integers": (Y.astype(int), TypeError, r"float64.*int64.*astype"),
        "of booleans": (Y == 1, TypeError, r"float64.*bool.*astype"),
        "too short": (Y[:3], ValueError, r"\(4,\).*\(3,\)"),
        "too long": (np.zeros(5), ValueError, r"\(4,\).*\(5,\)"),
        "a column": (Y[:, None], ValueError, r"\(4,\).*\(4, 1\)"),
        "with strides": (np.zeros(8)[::2], ValueError, r"contiguous.*\(16,\).*ascontiguousarray"),
        "upside down": (Y[::-1], ValueError, r"contiguous.*\(-8,\)"),
        "off its alignment": (UNALIGNED[:4], ValueError, r"align"),
        "with nan": (with_value(math.nan), ValueError, r"finite.*nan.*2"),
        "with infinity": (with_value(-math.inf, 3), ValueError, r"finite.*-inf.*3"),
    },
    "sample_weight": {
        "a list": ([1.0] * 4, TypeError, r"float64.*list"),
        "a number": (1.0, TypeError, r"\(4,\).*1\.0"),
        "of another dtype": (Y.astype(np.float32), TypeError, r"float64.*float32.*astype"),
        "too short": (np.ones(3), ValueError, r"\(4,\).*\(3,\)"),
        "a column": (np.ones((4, 1)), ValueError, r"\(4,\).*\(4, 1\)"),
        "with strides": (np.ones(8)[::2], ValueError, r"contiguous.*strides.*ascontiguousarray"),
        "off its alignment": (UNALIGNED[:4], ValueError, r"align"),
        "with nan": (with_value(math.nan, 1), ValueError, r"finite.*nan.*1"),
        "with infinity": (with_value(math.inf), ValueError, r"finite.*inf.*2"),
        "with one below 0": (with_value(-0.5), ValueError, r"at least 0.*-0\.5"),
        "all 0": (np.zeros(4), ValueError, r"positive.*0"),
    },
    "alpha": {
        "below 0": (-0.1, ValueError, r"at least 0.*-0\.1"),
        "nan": (math.nan, ValueError, r"finite.*nan"),
        "infinite": (math.inf, ValueError, r"finite.*inf"),
        "text": ("1", TypeError, r"number.*'1'"),
        "nothing": (None, TypeError, r"number.*None"),
        "an array": (np.ones(3), TypeError, r"number.*\(3,\)"),
    },
    "l1_ratio": {
        "below 0": (-0.01, ValueError, r"at least 0.*at most 1.*-0\.01"),
        "above 1": (1.01, ValueError, r"at most 1.*1\.01"),
        "nan": (math.nan, ValueError, r"at most 1.*nan"),
        "a flag": (True, TypeError, r"number.*(bool|True)"),
    },
}


@each_loss
@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in BAD_DATA.items() for case in cases])
def test_bad_data_are_named(loss, name, case):
    bad, error, message = BAD_DATA[name][case]
    with pytest.raises(error, match=rf"^{name} must .*{message}"):
        LOSSES[loss][0](**{"X": X, "y": Y, name: bad})


@pytest.mark.parametrize("label", [-1.0, 2.0, 0.5, 1.0000000000000002])
def test_labels_are_0_and_1(label):
    with pytest.raises(ValueError, match=rf"^y must hold .*0 and 1.*{label}"):
        st.Logistic(X, with_value(label))
    assert st.LeastSquares(X, with_value(label)).n_samples == 4
    assert st.Logistic(X, np.ones(4)).n_samples == 4


@each_loss
def test_options_are_keywords(loss):
    with pytest.raises(TypeError, match="positional"):
        LOSSES[loss][0](X, Y, np.ones(4))


@pytest.mark.parametrize("advice", ["ascontiguousarray", "astype"])
def test_the_advice_of_a_message_helps(advice):
    bad = {"ascontiguousarray": np.zeros((4, 6))[:, ::2], "astype": X.astype(int)}[advice]
    with pytest.raises((TypeError, ValueError), match=advice) as raised:
        st.LeastSquares(bad, Y.astype(np.float32))
    code = str(raised.value).rpartition("convert it with ")[2]
    helped = eval(code, {"np": np, "X": bad})
    assert st.LeastSquares(helped, Y.astype(helped.dtype)).X is helped


@each_loss
def test_read_only_data_are_welcome(loss):
    arrays = [X.copy(), Y.copy(), np.ones(4)]
    for array in arrays:
        array.flags.writeable = False
    objective = LOSSES[loss][0](arrays[0], arrays[1], sample_weight=arrays[2])
    w = np.zeros(4)
    w.flags.writeable = False
    assert math.isfinite(objective.value_and_gradient(w)[0])
    assert st.minimize(objective, w, max_epochs=2, batch_size=2).n_epochs == 2


BAD_PARAMETERS = {
    "a list": ([0.0] * 4, TypeError, r"float64.*\(4,\).*list"),
    "nothing": (None, TypeError, r"float64.*\(4,\).*None"),
    "of another dtype": (np.zeros(4, np.float32), TypeError, r"float64.*float32"),
    "of integers": (np.zeros(4, int), TypeError, r"float64.*int64"),
    "too short": (np.zeros(3), ValueError, r"\(4,\).*\(3,\)"),
    "too long": (np.zeros(5), ValueError, r"\(4,\).*\(5,\)"),
    "of two dimensions": (np.zeros((1, 4)), ValueError, r"\(4,\).*\(1, 4\)"),
    "of no dimension": (np.array(0.0), ValueError, r"\(4,\).*\(\)"),
    "with strides": (np.zeros(8)[::2], ValueError, r"contiguous.*contiguous"),
    "upside down": (np.zeros(4)[::-1], ValueError, r"contiguous.*contiguous"),
    "off its alignment": (UNALIGNED[:4], ValueError, r"aligned"),
}
CALLS = {
    "value": lambda o, bad: o.value(bad),
    "gradient": lambda o, bad: o.gradient(bad),
    "value_and_gradient": lambda o, bad: o.value_and_gradient(bad),
    "hessian": lambda o, bad: o.hessian(bad),
    "hessian_product": lambda o, bad: o.hessian_product(bad, np.zeros(4)),
    "hessian_product, v": lambda o, bad: o.hessian_product(np.zeros(4), bad),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_bad_parameters_are_named(call, case):
    bad, error, message = BAD_PARAMETERS[case]
    name = call.rpartition(" ")[2] if "," in call else "w"
    with pytest.raises(error, match=rf"^{name} must be a.*{message}"):
        CALLS[call](st.Logistic(X, Y), bad)


BAD_FUNCTIONS = {
    "not callable": ((3.0, 2), TypeError, r"^value_and_gradient must be callable.*float"),
    "no callable": ((None, 2), TypeError, r"^value_and_gradient must be callable.*None"),
    "a product not callable": ((abs, 2, 3.0), TypeError, r"^hessian_product must be callable.*float"),
    "no parameters": ((abs, 0), ValueError, r"^n_parameters must .*at least 1.*0"),
    "half a parameter": ((abs, 1.5), TypeError, r"^n_parameters must be an integer.*1\.5"),
    "a flag": ((abs, True), TypeError, r"^n_parameters must be an integer.*True"),
}


@pytest.mark.parametrize("case", BAD_FUNCTIONS)
def test_bad_functions_are_named(case):
    arguments, error, message = BAD_FUNCTIONS[case]
    with pytest.raises(error, match=message):
        st.Function(*arguments)


def test_bad_parameters_and_results_of_a_function_are_named():
    function = st.Function(lambda w: (0.0, np.zeros(3)), 2, lambda w, v: np.zeros((2, 1)))
    for bad in ([0.0, 0.0], np.zeros(3), np.zeros(2, np.float32)):
        with pytest.raises((TypeError, ValueError), match=r"^w must .*float64.*\(2,\)"):
            function.value(bad)
    with pytest.raises(ValueError, match=r"gradient.*\(2,\).*\(3,\)"):
        function.gradient(np.zeros(2))
    with pytest.raises((TypeError, ValueError), match=r"^v must "):
        function.hessian_product(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"hessian_product.*\(2,\).*\(2, 1\)"):
        function.hessian_product(np.zeros(2), np.zeros(2))
