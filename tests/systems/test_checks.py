from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems import checks


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_within_bounds_comes_back_as_a_float(value):
    got = checks.number("x", value, at_least=value, at_most=value)
    assert got == value and type(got) is float


@pytest.mark.parametrize("value", [3, np.float32(3), np.int64(3), Fraction(6, 2)])
def test_numbers_of_every_kind_are_numbers(value):
    got = checks.number("x", value, above=0)
    assert got == 3.0 and type(got) is float


@pytest.mark.parametrize("value", [True, "3", None, 3j, [3], np.array([3.0, 4.0]), np.bool_(True)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="rate must be a number, got"):
        checks.number("rate", value)


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (float("nan"), {}, "rate must be finite, got nan"),
        (-float("inf"), {}, "rate must be finite, got -inf"),
        (0, {"above": 0}, "rate must be greater than 0, got 0"),
        (-1, {"at_least": 0}, "rate must be at least 0, got -1"),
        (2, {"at_most": 1}, "rate must be at most 1, got 2"),
    ],
)
def test_the_broken_rule_is_named(value, bounds, message):
    with pytest.raises(ValueError, match=message):
        checks.number("rate", value, **bounds)


@given(value=st.integers(0, 10**12))
def test_whole_numbers(value):
    got = checks.whole("n", np.int64(value))
    assert got == value and type(got) is int


@pytest.mark.parametrize("value", [3.0, np.float64(3), "3", True, None, float("nan")])
def test_whole_numbers_are_not_floats(value):
    with pytest.raises(TypeError, match="units must be a whole number, got"):
        checks.whole("units", value)


def test_whole_numbers_have_bounds():
    with pytest.raises(ValueError, match="units must be at least 0, got -1"):
        checks.whole("units", -1)
    with pytest.raises(ValueError, match="units must be at most 5, got 6"):
        checks.whole("units", 6, at_most=5)


@pytest.mark.parametrize("value", [-1, 2**31, 1.5, "0", None])
def test_seeds_are_whole_numbers_that_netcdf_can_store(value):
    assert checks.seed("seed", 2**31 - 1) == 2**31 - 1
    with pytest.raises((TypeError, ValueError), match="seed must be"):
        checks.seed("seed", value)


def test_choices_suggest_the_nearest():
    assert checks.choice("law", "uniform", ("gaussian", "uniform")) == "uniform"
    with pytest.raises(ValueError, match="law must be one of 'gaussian', 'uniform', got 'unifrom'; did you mean"):
        checks.choice("law", "unifrom", ("gaussian", "uniform"))
    with pytest.raises(ValueError, match=r"law must be one of 'gaussian', got 7$"):
        checks.choice("law", 7, iter(["gaussian"]))


@pytest.mark.parametrize("value", [[1, 2], np.float32([1, 2]), np.array([1, 2], ">f8"), (1.0, 2.0)])
def test_arrays_become_float64(value):
    got = checks.array("x", value, ndim=1, shape=(None,))
    assert got.dtype == np.float64 and got.tolist() == [1, 2]


def test_the_callers_array_is_not_shared():
    mine = np.ones(3)
    checks.array("x", mine)[0] = 5
    assert mine[0] == 1


@pytest.mark.parametrize(
    ("value", "rules", "error", "message"),
    [
        ([1j], {}, TypeError, "real numbers, got dtype complex128"),
        (["a"], {}, TypeError, "real numbers"),
        ([True], {}, TypeError, "real numbers, got dtype bool"),
        ([None], {}, TypeError, "real numbers, got dtype object"),
        ([[1.0]], {"ndim": 1}, ValueError, r"1 dimensions, got shape \(1, 1\)"),
        ([1.0], {"shape": (2,)}, ValueError, r"shape \(2\), got \(1,\)"),
        ([1.0], {"shape": (None, 3)}, ValueError, r"shape \(any, 3\), got \(1,\)"),
        ([[0.0, np.nan], [np.inf, 0.0]], {}, ValueError, r"finite, got 2 NaN or infinite .* at \(0, 1\)"),
    ],
)
def test_wrong_arrays_are_refused(value, rules, error, message):
    with pytest.raises(error, match="data must .*" + message):
        checks.array("data", value, **rules)


def test_settings_that_are_not_taken_are_refused():
    assert checks.call(lambda a, b=2: a + b, {"a": 1}) == 3

    def make(width=1.0): ...

    with pytest.raises(ValueError, match="parameter of make must be one of 'width', got 'witdh'; did you mean 'width'"):
        checks.call(make, {"witdh": 1})
