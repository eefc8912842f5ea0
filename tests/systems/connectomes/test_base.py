import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from systems.connectomes import Connectome, celegans, degree_preserving


def random(units=8, seed=0, density=0.4):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(units, units)) * (rng.random((units, units)) < density)
    kinds = {"class": [f"c{k % 3}" for k in range(units)]}
    return Connectome.of(weights, neurons=[f"n{k}" for k in range(units)], annotations=kinds, name="random")


def same(one, other):
    return one.digest == other.digest and one.annotations == other.annotations


def test_weights_are_canonical_and_cannot_be_written():
    given = sparse.csr_array((np.array([1, 2, 3, 0, 4]), np.array([1, 0, 0, 1, 1]), np.array([0, 2, 5])), shape=(2, 2))
    found = Connectome(given, ("a", "b"))
    assert found.weights.has_canonical_format and found.weights.dtype == np.float64
    assert found.dense().tolist() == [[2, 1], [3, 4]] and found.synapses == 4 and found.density == 1
    assert given.data.flags.writeable and given.nnz == 5
    with pytest.raises(ValueError, match="read-only"):
        found.weights.data[0] = 5


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"weights": np.zeros((2, 2))}, TypeError, "weights must be a sparse matrix .*, got ndarray"),
        ({"weights": sparse.csr_array((3, 3))}, ValueError, r"weights must have shape \(2, 2\) .*, got \(3, 3\)"),
        ({"weights": sparse.csr_array([[0, np.nan], [0, 0]])}, ValueError, "weights must be finite, got 1 NaN"),
        ({"weights": sparse.csr_array([[0, np.inf], [0, 0]])}, ValueError, "weights must be finite"),
        ({"weights": sparse.csr_array([[0, 1j], [0, 0]])}, TypeError, "weights must hold real numbers"),
        ({"neurons": ("a", "a")}, ValueError, "neurons must be names that differ, got 'a' twice"),
        ({"neurons": ("a", "")}, ValueError, "neurons must be names that are not empty"),
        ({"neurons": ()}, ValueError, "neurons must be names that are not empty, at least one"),
        ({"neurons": "ab"}, TypeError, "neurons must be a sequence of names, got 'ab'"),
        ({"neurons": ("a", 1.5)}, TypeError, "neurons must hold names or whole numbers, got 1.5"),
        (
            {"annotations": {"class": ("x",)}},
            ValueError,
            "annotations of 'class' must be 2 labels, .*, got 1",
        ),
        ({"annotations": {"class": ("x", 3)}}, TypeError, "annotations of 'class' must be strings, got 3"),
        ({"annotations": {"unit": ("x", "y")}}, ValueError, "annotations must have names other than .*, got 'unit'"),
        ({"name": 3}, TypeError, "name must be a string, got 3"),
    ],
)
def test_wrong_fields_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        replace(Connectome.of([[0, 1], [0, 0]], neurons=["a", "b"]), **change)


def test_annotations_need_the_order_of_the_neurons():
    with pytest.raises(ValueError, match="annotations must come with neurons"):
        Connectome.of([[0, 1], [0, 0]], annotations={"class": ["x", "y"]})


def test_the_digest_changes_with_any_edge_and_any_name():
    one = random()
    assert same(one, replace(one, name="other")) and random(seed=1).digest != one.digest
    for edge in range(one.synapses):
        weights = one.weights.copy()
        weights.data = weights.data.copy()
        weights.data[edge] = np.nextafter(weights.data[edge], np.inf)
        assert replace(one, weights=weights).digest != one.digest
        weights.data[edge] = 0.0
        assert replace(one, weights=weights).digest != one.digest
    assert replace(one, neurons=("m0", *one.neurons[1:])).digest != one.digest
    assert replace(one, weights=one.weights.T).digest != one.digest


def test_index_and_labels_name_what_is_near():
    worm = celegans()
    assert [worm.neurons[k] for k in worm.index(["AVAR", "ADAL"])] == ["AVAR", "ADAL"]
    assert worm.index("ADAL").tolist() == [0]
    with pytest.raises(ValueError, match="names must be among the 302 neurons, got 'AVAX'; did you mean 'AVA"):
        worm.index(["ADAL", "AVAX"])
    with pytest.raises(ValueError, match="got 3"):
        worm.index([3])
    assert worm.labels("class")[0] == "ADA"
    with pytest.raises(ValueError, match="by must be one of 'class', 'role', 'transmitter', got 'clas'"):
        worm.labels("clas")


def test_what_it_says_of_itself():
    text = "<Connectome 'random': 8 neurons, 18 synapses (10 positive, 8 negative), density 0.28; labels: class>"
    assert repr(random()) == text


def test_dense_is_refused_where_it_would_be_large():
    large = Connectome(sparse.csr_array((5001, 5001)), tuple(map(str, range(5001))))
    with pytest.raises(ValueError, match=r"at most 5000 neurons, got 5001, which would take 0\.2 GiB"):
        large.dense()


def test_the_spectral_radius_becomes_what_is_asked():
    one = random(20)
    found = one.scaled("radius", 0.7)
    assert max(abs(np.linalg.eigvals(found.dense()))) == pytest.approx(0.7, rel=1e-12)
    np.testing.assert_array_equal(np.sign(found.dense()), np.sign(one.dense()))
    with pytest.raises(ValueError, match="how must be 'rows' or 'factor' where the spectral radius is 0, got 'radius'"):
        Connectome.of([[0, 0, 0], [1, 0, 0], [1, 1, 0]]).scaled("radius", 1.0)


def test_rows_sum_to_what_is_asked_and_silent_ones_stay():
    one = Connectome.of([[0, 1, -3], [0, 0, 0], [1e-3, 0, 0]])
    assert one.scaled("rows", 2.0).dense().tolist() == [[0, 0.5, -1.5], [0, 0, 0], [2, 0, 0]]


def test_a_factor_multiplies():
    np.testing.assert_array_equal(random().scaled("factor", 2.0).dense(), 2 * random().dense())
    with pytest.raises(ValueError, match="to must be greater than 0, got 0"):
        random().scaled("factor", 0)
    with pytest.raises(ValueError, match=r"how must be one of 'radius', .* got 'row'; did you mean 'rows'"):
        random().scaled("row", 1)


def test_signs_are_those_of_the_presynaptic_neuron():
    one = random(6)
    for signs, by in (({"n1": -1, "n4": 1}, None), ([0, -1, 0, 0, 1, 0], None)):
        expected = one.dense()
        expected[:, 1], expected[:, 4] = -abs(expected[:, 1]), abs(expected[:, 4])
        np.testing.assert_array_equal(one.signed(signs, by=by).dense(), expected)
    expected = one.dense()
    expected[:, [1, 4]] = -abs(expected[:, [1, 4]])
    np.testing.assert_array_equal(one.signed({"c1": -1}, by="class").dense(), expected)


@pytest.mark.parametrize(
    ("signs", "by", "error", "message"),
    [
        ({"n9": 1}, None, ValueError, "names must be among the 6 neurons, got 'n9'"),
        ({"c9": 1}, "class", ValueError, "label of class in signs must be one of 'c0', 'c1', 'c2', got 'c9'"),
        ({"c1": 1}, "kind", ValueError, "by must be one of 'class', got 'kind'"),
        ({"n1": 0.5}, None, ValueError, "signs must be -1, 0 or 1, got 0.5"),
        ([1, -1], None, ValueError, r"signs must have shape \(6\), got \(2,\)"),
        ([1, -1], "class", TypeError, "signs must be a mapping where by is given, got list"),
    ],
)
def test_wrong_signs_are_refused(signs, by, error, message):
    with pytest.raises(error, match=message):
        random(6).signed(signs, by=by)


def test_only_some_neurons_in_the_order_asked():
    one = random()
    found = one.only(["n5", "n1", "n2"])
    np.testing.assert_array_equal(found.dense(), one.dense()[np.ix_([5, 1, 2], [5, 1, 2])])
    assert found.neurons == ("n5", "n1", "n2") and found.labels("class") == ("c2", "c1", "c2")
    with pytest.raises(ValueError, match="names must be names that differ, got 'n1' twice"):
        one.only(["n1", "n1"])


@given(
    weights=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=9, max_size=9),
    names=st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1), min_size=3, max_size=3, unique=True),
)
@settings(max_examples=30, deadline=None)
def test_a_csv_file_comes_back_bit_for_bit(tmp_path_factory, weights, names):
    one = Connectome.of(np.reshape(weights, (3, 3)), neurons=names)
    path = tmp_path_factory.mktemp("csv") / "edges.csv"
    one.to_table().to_csv(path, index=False)
    found = Connectome.of(path, neurons=names)
    assert found.digest == one.digest and found.name == "edges"


def test_a_netcdf_file_comes_back_whole(tmp_path):
    for one in (celegans(), Connectome.of([[0.0]], neurons=["alone"])):
        path = tmp_path / f"{one.name}.nc"
        one.to_dataset().to_netcdf(path, engine="h5netcdf")
        with xr.open_dataset(path) as stored:
            found = Connectome.of(stored)
            assert stored.attrs["references"] == one.source and stored.attrs["licence"] == one.licence
        assert same(found, one)
        assert (found.name, found.source, found.licence) == (one.name, one.source, one.licence)


def test_wiring_of_fifty_thousand_neurons_stays_sparse():
    rng = np.random.default_rng(0)
    units, synapses = 50_000, 1_000_000
    ends = rng.integers(0, units, (2, synapses))
    given = sparse.coo_array((rng.normal(size=synapses), tuple(ends)), shape=(units, units))
    tracemalloc.start()
    one = Connectome.of(given, duplicates="sum").scaled("rows", 0.9).signed({"3": -1})
    assert one.digest and one.only(one.neurons[::2]).units == units // 2
    assert Connectome.of(one.to_table(), neurons=one.neurons).digest == one.digest
    assert Connectome.of(one.to_dataset()).digest == one.digest
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300e6  # as an array it would take 20e9


def test_a_shuffle_of_many_synapses_stays_sparse():
    rng = np.random.default_rng(1)
    given = sparse.coo_array((np.ones(100_000), tuple(rng.integers(0, 30_000, (2, 100_000)))), shape=(30_000, 30_000))
    one = Connectome.of(given, duplicates="sum")
    tracemalloc.start()
    degree_preserving(one, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6
