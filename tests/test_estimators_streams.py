"""Estimators over streams, and what estimators refuse of data in parts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import steepest as st
from linear_models import assert_same
from steepest.objectives.parts import Parts
from test_estimators_parts import CUTS, LABELS, D, N, each_kind, in_parts, made, sparse_of, table, targets


class TestStreams:
    """Streams are parts that are read for each pass."""

    @pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
    @each_kind
    def test_a_fit_is_that_over_the_whole_arrays(self, kind, sparse):
        X, z, weight = table()
        y, X = targets(kind, z), sparse_of(X) if sparse else X
        stream = st.open_stream([(X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(CUTS)], part_rows=64)
        found = made(kind, alpha=0.05, standardize=True).fit(stream)
        expected = made(kind, alpha=0.05, standardize=True).fit(X, y, sample_weight=weight)
        assert_same(found, expected, 1e-6)
        np.testing.assert_allclose(found.predict(stream), expected.predict(X), rtol=1e-6)
        assert found.score(stream) == pytest.approx(expected.score(X, y, sample_weight=weight), rel=1e-9)

    def test_labels_may_be_text(self):
        X, z, _ = table()
        y = np.array(["low", "mid", "top"])[np.digitize(z, [-1.0, 1.0])]
        stream = st.open_stream([(X, y)], part_rows=64)
        found = st.LogisticClassifier(class_weight={"low": 2.0}).fit(stream)
        expected = st.LogisticClassifier(class_weight={"low": 2.0}).fit(X, y)
        assert_same(found, expected, 1e-6)
        assert found.classes_.tolist() == ["low", "mid", "top"]
        np.testing.assert_array_equal(found.predict(stream), expected.predict(X))
        assert found.score(stream) == expected.score(X, y)
        with pytest.raises(ValueError, match=r"^y must hold finite numbers, got text"):
            st.LinearRegressor().fit(stream)

    def test_mini_batches_from_a_buffer(self):
        X, z, _ = table()
        y = targets(3, z)
        stream = st.open_stream([(X, y)], part_rows=64)
        options = {"batch_size": 20, "max_iter": 4, "random_state": 0, "standardize": True, "class_weight": "balanced"}
        assert_same(st.LogisticClassifier(**options).fit(stream), st.LogisticClassifier(**options).fit(X, y), 1e-6)

    def test_mini_batches_from_a_small_buffer(self):
        """The same steps as those of an objective over parts whose labels are numbers already."""
        X, z, _ = table()
        y = targets(2, z)
        each = [(X[a:b], y[a:b], np.where(y[a:b] == 2.0, 3.0, 1.0)) for a, b in itertools.pairwise(CUTS)]
        options = {"batch_size": 20, "max_iter": 4, "alpha": 0.1}
        rule = st.Adam(st.schedules.CosineDecay(0.05, 100))
        found = st.LogisticClassifier(rule, class_weight={2.0: 3.0}, random_state=0, **options)
        found.fit(Parts.of([part[:2] for part in each], capacity=2))
        plain = Parts.of([(part[0], (part[1] == 2.0).astype(float), part[2]) for part in each], capacity=2)
        seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
        expected = st.minimize(
            st.Logistic(plain, alpha=0.1), None, rule, batch_size=20, max_epochs=4, random_state=seed, diagnose=False
        )
        np.testing.assert_allclose(found.coef_[0], expected.w[:-1], rtol=1e-12)

    def test_early_stopping_of_mini_batches(self):
        X, z, _ = table()
        stream = st.open_stream([(X, targets(2, z))], part_rows=64)
        options = {"batch_size": 20, "early_stopping": True, "random_state": 0, "standardize": True}
        model = st.LogisticClassifier(**options).fit(stream)
        assert model.stop_reason_ == "NoImprovement"
        assert model.score(stream) > 0.7

    def test_columns_may_have_names(self, tmp_path):
        pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        X, z, _ = table()
        names = [f"c{j}" for j in range(D)]
        parquet.write_table(pa.table({**dict(zip(names, X.T, strict=True)), "y": z}), tmp_path / "rows.parquet")
        stream = st.open_stream(tmp_path / "rows.parquet", target="y", part_rows=64)
        model = st.LinearRegressor().fit(stream)
        assert model.feature_names_in_.tolist() == names
        assert model.get_feature_names_out().tolist() == names
        assert_same(model, st.LinearRegressor().fit(X, z), 1e-6)
        np.testing.assert_array_equal(model.predict(stream), st.LinearRegressor().fit(stream).predict(in_parts(X, z)))
        plain = st.LinearRegressor().fit(X, z)
        with pytest.warns(UserWarning, match="fitted without feature names"):
            plain.predict(stream)


@pytest.mark.parametrize("capacity", ["all parts", "few parts"])
def test_the_finder_takes_mini_batches_of_a_stream(capacity):
    """The range test reads one sample. Of so few rows it is all of them, in the order of those in memory."""
    X, z, _ = table(n=3000)
    stream, batch = st.open_stream([(X, z)], part_rows=500), {"batch_size": 64, "random_state": 0}
    if capacity == "few parts":
        object.__setattr__(stream, "buffer_parts", 2)
    read, parts = [], stream.parts
    object.__setattr__(stream, "parts", lambda order=None: read.append(order) or parts(order))
    found = st.find_learning_rate(st.LeastSquares(stream), st.Adam(), max_epochs=0, **batch)
    assert len(read) == 1
    expected = st.find_learning_rate(st.LeastSquares(X, z), st.Adam(), max_epochs=0, **batch)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-12)
    assert found.suggestion == expected.suggestion
    assert st.find_learning_rate(st.LeastSquares(stream), st.Adam(), random_state=0).losses[0] != found.losses[0]
    raced = st.find_learning_rate(st.LeastSquares(stream), st.Adam(), max_epochs=2, **batch).suggestion
    best = st.find_learning_rate(st.LeastSquares(X, z), st.Adam(), max_epochs=2, **batch).suggestion
    assert best / 5 < raced < best * 5


class TestErrors:
    """What cannot be done is refused, and says why."""

    def test_targets_and_weights_come_with_the_parts(self):
        X, z, weight = table()
        parts, model = in_parts(X, z), st.LinearRegressor()
        with pytest.raises(TypeError, match=r"^y must be None for X in parts, which have their own"):
            model.fit(parts, z)
        with pytest.raises(TypeError, match=r"^sample_weight must be None for X in parts, which have their own"):
            model.fit(parts, sample_weight=weight)
        model.fit(parts)
        with pytest.raises(TypeError, match=r"^y must be None for X in parts"):
            model.score(parts, z)
        with pytest.raises(TypeError, match=r"^y_val must be None for X_val in parts"):
            model.fit(parts, X_val=parts, y_val=z)
        with pytest.raises(ValueError, match=r"^X_val and y_val must be given together"):
            model.fit(parts, X_val=X)
        with pytest.raises(ValueError, match=r"requires y to be passed, but the target y is None"):
            model.fit(X)

    @pytest.mark.filterwarnings("ignore:The fit has not converged")
    def test_classes_must_be_few(self):
        X, z, _ = table(n=3000)
        with pytest.raises(ValueError, match=r"^y must hold at most 1,024 classes in parts"):
            st.LogisticClassifier().fit(in_parts(X, np.arange(3000.0), cuts=[0, 1000, 2000, 3000]))
        with pytest.raises(ValueError, match=r"continuous"):
            st.LogisticClassifier().fit(in_parts(X[:50], z[:50], cuts=[0, 20, 50]))
        with pytest.raises(ValueError, match=r"^y must hold at least two classes, got 1"):
            st.LogisticClassifier().fit(in_parts(X[:50], np.ones(50), cuts=[0, 20, 50]))
        y = np.arange(3000.0) % 1024
        assert len(st.LogisticClassifier(max_iter=0).fit(in_parts(X, y, cuts=[0, 1500, 3000])).classes_) == 1024

    def test_weights_and_classes_are_checked(self):
        X, z, _ = table()
        y = targets(3, z)
        with pytest.raises(ValueError, match="weights of the parts must not all be 0"):
            st.LogisticClassifier().fit(in_parts(X, y, np.zeros(N)))
        with pytest.raises(ValueError, match="must leave some row a weight above 0"):
            st.LogisticClassifier(class_weight=dict.fromkeys(LABELS, 0.0)).fit(in_parts(X, y))
        with pytest.raises(ValueError, match="class_weight must be 0 or within float32"):
            st.LogisticClassifier(class_weight={2.0: 1e300}).fit(in_parts(X.astype("f4"), y.astype("f4")))
        with pytest.raises(ValueError, match="class_weight"):
            st.LogisticClassifier(class_weight={9.0: 1.0}).fit(in_parts(X, y))

    def test_a_fit_without_a_minimum_says_so(self):
        X, _, _ = table()
        for model, y in (
            (st.LinearRegressor(loss="poisson"), np.zeros(N)),
            (st.LogisticClassifier(alpha=0.0), (X[:, 4] > 2).astype(float)),
        ):
            with pytest.warns(ConvergenceWarning, match="The fit found no minimum"):
                model.fit(in_parts(X, y))
            assert model.stop_reason_ == "separable"

    @pytest.mark.parametrize("power", [-200, 140, 200])
    def test_huge_and_tiny_targets(self, power):
        X, z, _ = table()
        parts, unit = in_parts(X, z * 10.0**power), 10.0**power
        found, expected = st.LinearRegressor().fit(parts), st.LinearRegressor().fit(X, z)
        np.testing.assert_allclose(found.coef_ / unit, expected.coef_, rtol=1e-9)
        assert found.score(parts) == pytest.approx(expected.score(X, z), rel=1e-12)

    def test_targets_of_counts_are_at_least_0(self):
        X, z, _ = table()
        with pytest.raises(ValueError, match="at least 0"):
            st.LinearRegressor(loss="poisson").fit(in_parts(X, z))

    def test_a_validation_set_must_be_like_the_parts(self):
        X, z, _ = table()
        y, model = targets(2, z), st.LogisticClassifier()
        with pytest.raises(ValueError, match="X_val must be like X: expected columns 5, got 4"):
            model.fit(in_parts(X, y), X_val=in_parts(X[:, :4].copy(), y))
        with pytest.raises(ValueError, match="X_val must be like X: expected dtype float64, got float32"):
            model.fit(in_parts(X, y), X_val=in_parts(X.astype("f4"), y.astype("f4")))
        with pytest.raises(ValueError, match=r"X_val must hold the classes \[-3.  2.\] only, got 7"):
            model.fit(in_parts(X, y), X_val=in_parts(X, targets(3, z)))
        weight = np.where(targets(3, z) == 7.0, 0.0, 1.0)
        with pytest.raises(ValueError, match="X_val must hold only classes that have a weight in the fit, got 7"):
            model.fit(in_parts(X, targets(3, z), weight), X_val=in_parts(X, targets(3, z)))

    def test_rows_to_hold_out_must_suffice(self):
        X, z, _ = table()
        with pytest.raises(ValueError, match="early_stopping holds out rows of each part"):
            st.LinearRegressor(early_stopping=True, random_state=0).fit(in_parts(X[:1], z[:1], cuts=[0, 1]))
        y = np.where(np.arange(N) == 5, 1.0, 0.0)

        def of_some_seed():
            for seed in range(100):
                st.LogisticClassifier(early_stopping=True, random_state=seed).fit(in_parts(X, y))

        with pytest.raises(ValueError, match="early_stopping must leave rows of each class"):
            of_some_seed()

    def test_what_takes_rows_in_memory_says_so(self):
        X, z, _ = table()
        parts = in_parts(X, z)
        with pytest.raises(TypeError, match=r"^X must be an array, a sparse matrix or a data frame here, got data in"):
            st.LinearRegressor("adam").partial_fit(parts, z)
        with pytest.raises(TypeError, match=r"^X must be a data frame with categorical="):
            st.LinearRegressor(categorical=["a"]).fit(parts)
        with pytest.raises(ValueError, match="X has 4 features, but LinearRegressor is expecting 5"):
            st.LinearRegressor().fit(parts).predict(in_parts(X[:, :4].copy(), z))

    def test_an_error_leaves_the_model_as_it_was(self):
        X, z, _ = table()
        y = targets(2, z)
        model = st.LogisticClassifier().fit(in_parts(X, y))
        before = dict(model.__dict__)
        with pytest.raises(ValueError, match="weights of the parts must not all be 0"):
            model.fit(in_parts(X, targets(3, z), np.zeros(N)))
        assert model.__dict__ == before


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize(("dtype", "bits"), [(np.float32, 24), (np.float64, 53)])
def test_labels_that_the_dtype_merges_are_refused(kind, dtype, bits):
    """The neighbours 2**24 and 2**24 + 1 are one number in float32, and would be one class."""
    X, y = np.arange(40, dtype=dtype).reshape(20, 2), np.arange(20) % 3
    for labels, shown in ((2**bits + y, 2**bits), (-(2**bits) - y, -(2**bits) - 2)):
        stream = st.open_stream([(X, labels.astype(kind))])
        with pytest.raises(ValueError, match=rf"y must hold labels below {2**bits:,} beside rows of .*, got {shown}; "):
            st.LogisticClassifier().fit(stream)
    below = 2**bits - 3 + y
    model = st.LogisticClassifier().fit(st.open_stream([(X, below.astype(kind))]))
    assert model.classes_.astype(int).tolist() == np.unique(below).tolist()
    st.LinearRegressor().fit(st.open_stream([(X, 2**bits + y)]))
