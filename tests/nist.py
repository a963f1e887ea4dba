"""NIST's reference problems of linear least squares (Statistical Reference Datasets, itl.nist.gov/div898/strd).

Each is (X, y, whether there is an intercept, certified coefficients, the intercept first).
"""

from __future__ import annotations

import numpy as np

_NORRIS_X = """0.2 337.4 118.2 884.6 10.1 226.5 666.3 996.3 448.6 777.0 558.2 0.4 0.6 775.5 666.9 338.0 447.5 11.6 556.0
228.1 995.8 887.6 120.2 0.3 0.3 556.8 339.1 887.2 999.0 779.0 11.1 118.3 229.2 669.1 448.9 0.5"""
_NORRIS_Y = """0.1 338.8 118.1 888.0 9.2 228.1 668.5 998.5 449.1 778.9 559.2 0.3 0.1 778.1 668.8 339.3 448.9 10.8 557.7
228.3 998.0 888.8 119.6 0.3 0.6 557.6 339.3 888.0 998.5 778.9 10.2 117.6 228.9 668.4 449.2 0.2"""
_PONTIUS_Y = """.11019 .21956 .32949 .43899 .54803 .65694 .76562 .87487 .98292 1.09146 1.20001 1.30822 1.41599 1.52399
1.63194 1.73947 1.84646 1.95392 2.06128 2.16844 .11052 .22018 .32939 .43886 .54798 .65739 .76596 .87474 .98300 1.09150
1.20004 1.30818 1.41613 1.52408 1.63159 1.73965 1.84696 1.95445 2.06177 2.16829"""
_FILIP_X = """-6.860120914 -4.324130045 -4.358625055 -4.358426747 -6.955852379 -6.661145254 -6.355462942 -6.118102026
-7.115148017 -6.815308569 -6.519993057 -6.204119983 -5.853871964 -6.109523091 -5.79832982 -5.482672118 -5.171791386
-4.851705903 -4.517126416 -4.143573228 -3.709075441 -3.499489089 -6.300769497 -5.953504836 -5.642065153 -5.031376979
-4.680685696 -4.329846955 -3.928486195 -8.56735134 -8.363211311 -8.107682739 -7.823908741 -7.522878745 -7.218819279
-6.920818754 -6.628932138 -6.323946875 -5.991399828 -8.781464495 -8.663140179 -8.473531488 -8.247337057 -7.971428747
-7.676129393 -7.352812702 -7.072065318 -6.774174009 -6.478861916 -6.159517513 -6.835647144 -6.53165267 -6.224098421
-5.910094889 -5.598599459 -5.290645224 -4.974284616 -4.64454848 -4.290560426 -3.885055584 -3.408378962 -3.13200249
-8.726767166 -8.66695597 -8.511026475 -8.165388579 -7.886056648 -7.588043762 -7.283412422 -6.995678626 -6.691862621
-6.392544977 -6.067374056 -6.684029655 -6.378719832 -6.065855188 -5.752272167 -5.132414673 -4.811352704 -4.098269308
-3.66174277 -3.2644011"""
_FILIP_Y = """0.8116 0.9072 0.9052 0.9039 0.8053 0.8377 0.8667 0.8809 0.7975 0.8162 0.8515 0.8766 0.8885 0.8859 0.8959
0.8913 0.8959 0.8971 0.9021 0.909 0.9139 0.9199 0.8692 0.8872 0.89 0.891 0.8977 0.9035 0.9078 0.7675 0.7705 0.7713
0.7736 0.7775 0.7841 0.7971 0.8329 0.8641 0.8804 0.7668 0.7633 0.7678 0.7697 0.77 0.7749 0.7796 0.7897 0.8131 0.8498
0.8741 0.8061 0.846 0.8751 0.8856 0.8919 0.8934 0.894 0.8957 0.9047 0.9129 0.9209 0.9219 0.7739 0.7681 0.7665 0.7703
0.7702 0.7761 0.7809 0.7961 0.8253 0.8602 0.8809 0.8301 0.8664 0.8834 0.8898 0.8964 0.8963 0.9074 0.9119 0.9228"""
_FILIP = [
    -1467.48961422980, -2772.17959193342, -2316.37108160893, -1127.97394098372, -354.478233703349, -75.1242017393757,
    -10.8753180355343, -1.06221498588947, -0.670191154593408e-01, -0.246781078275479e-02, -0.402962525080404e-04,
]  # fmt: skip
_LONGLEY = """83.0 234289 2356 1590 107608 1947 60323
88.5 259426 2325 1456 108632 1948 61122
88.2 258054 3682 1616 109773 1949 60171
89.5 284599 3351 1650 110929 1950 61187
96.2 328975 2099 3099 112075 1951 63221
98.1 346999 1932 3594 113270 1952 63639
99.0 365385 1870 3547 115094 1953 64989
100.0 363112 3578 3350 116219 1954 63761
101.2 397469 2904 3048 117388 1955 66019
104.6 419180 2822 2857 118734 1956 67857
108.4 442769 2936 2798 120445 1957 68169
110.8 444546 4681 2637 121950 1958 66513
112.6 482704 3813 2552 123366 1959 68655
114.2 502601 3931 2514 125368 1960 69564
115.7 518173 4806 2572 127852 1961 69331
116.9 554894 4007 2827 130081 1962 70551"""
_LONGLEY_CERTIFIED = [
    -3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683, -1.03322686717359,
    -0.511041056535807e-01, 1829.15146461355,
]  # fmt: skip
_WAVE = [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048]  # of Wampler3, and the same backwards


def _numbers(text):
    return np.array(text.split(), dtype=np.float64)


def _powers(x, degree):
    return np.column_stack([x**k for k in range(1, degree + 1)])


def _wampler():
    x = np.arange(21.0)
    X, y = _powers(x, 5), sum(x**k for k in range(6))
    wave = np.array([*_WAVE, *_WAVE[-2::-1]], dtype=np.float64)
    ones = np.ones(6)
    yield "Wampler1", (X, y, True, ones)
    yield "Wampler2", (X, np.array([sum(i**k / 10**k for k in range(6)) for i in range(21)]), True, 0.1 ** np.arange(6))
    for name, factor in (("Wampler3", 1.0), ("Wampler4", 100.0), ("Wampler5", 10_000.0)):
        yield name, (X, y + factor * wave, True, ones)


def problems():
    """Return all eleven by name."""
    longley = _numbers(_LONGLEY).reshape(16, 7)
    pontius = np.tile(np.arange(150_000.0, 3_000_001.0, 150_000.0), 2)
    return {
        "Norris": (_numbers(_NORRIS_X)[:, None], _numbers(_NORRIS_Y), True, [-0.262323073774029, 1.00211681802045]),
        "Pontius": (
            _powers(pontius, 2),
            _numbers(_PONTIUS_Y),
            True,
            [0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14],
        ),
        "NoInt1": (np.arange(60.0, 71.0)[:, None], np.arange(130.0, 141.0), False, [2.07438016528926]),
        "NoInt2": (np.array([[4.0], [5.0], [6.0]]), np.array([3.0, 4.0, 4.0]), False, [0.727272727272727]),
        "Filip": (_powers(_numbers(_FILIP_X), 10), _numbers(_FILIP_Y), True, _FILIP),
        "Longley": (longley[:, :6].copy(), longley[:, 6].copy(), True, _LONGLEY_CERTIFIED),
        **dict(_wampler()),
    }


def digits(found, certified):
    """Return the least number of digits that agree (the log relative error), 15 at most, as many as are certified."""
    found, certified = np.asarray(found), np.asarray(certified)
    errors = np.abs(found - certified) / np.abs(certified)
    return float(np.clip(-np.log10(np.maximum(errors, 1e-15)), 0, 15).min())


def _table():
    """Print the digits that docs/numbers.md shows."""
    import warnings

    from sklearn.linear_model import LinearRegression

    import steepest as st

    warnings.simplefilter("ignore")
    columns = ("problem", "`LinearRegressor`", "`minimize`", "`normal_equation`", "numpy `lstsq`", "scikit-learn")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name, (X, y, intercept, certified) in problems().items():
        A = np.column_stack([np.ones(len(X)), X]) if intercept else X
        order = [*[-1] * intercept, *range(X.shape[1])]
        objective = st.LeastSquares(X, y, intercept=intercept)
        found = [
            st.minimize(objective).w[order],
            st.normal_equation(objective).w[order],
            np.linalg.lstsq(A, y, rcond=None)[0],
        ]
        models = [kind(fit_intercept=intercept).fit(X, y) for kind in (st.LinearRegressor, LinearRegression)]
        ours, theirs = ([*[model.intercept_] * intercept, *model.coef_] for model in models)
        print("|", name, *(f"| {digits(each, certified):.1f}" for each in (ours, *found, theirs)), "|")


if __name__ == "__main__":
    _table()
