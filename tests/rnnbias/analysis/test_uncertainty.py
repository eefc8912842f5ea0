"""Posterior widths against closed forms; the choice of neurons against trying all."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr

from rnnbias import Circuit, fit_activity
from rnnbias.analysis import record_next, uncertainty
from rnnbias.analysis.uncertainty import greedy_choice
from systems.connectomes import Connectome


def left_over(rows, chosen, noise):
    """Expected square error of every row that was not chosen, by the inverse of the posterior's precision."""
    kept = rows[list(chosen)]
    covariance = np.linalg.inv(np.eye(rows.shape[1]) + kept.T @ kept / noise**2)
    others = np.delete(rows, list(chosen), 0)
    return np.einsum("ij,jk,ik->", others, covariance, others) / len(others)


def test_each_choice_is_the_best_of_all():
    rows, noise = np.random.default_rng(0).standard_normal((9, 5)) * [3, 2, 1, 0.5, 0.1], 0.3
    found = greedy_choice(torch.from_numpy(rows[:, None]), noise, np.arange(9), np.arange(9), 4)
    for k in range(4):
        before, rest = found.chosen[:k], [u for u in range(9) if u not in found.chosen[:k]]
        total = {u: left_over(rows, [*before, u], noise) for u in rest}
        assert found.chosen[k] == min(total, key=total.get)
        assert found.error[k + 1] == pytest.approx(total[found.chosen[k]], rel=1e-5)


def test_the_linear_theory_of_low_rank_circuits():
    """Beiran & Litwin-Kumar 2025, Fig. 5: error vanishes at as many neurons as the rank; a good choice needs fewer."""
    rng, units, rank = np.random.default_rng(0), 60, 12
    left, size, right = np.linalg.svd(rng.standard_normal((units, units)) * 1.4 / np.sqrt(units))
    kept = rng.permutation(units)[:rank]
    weights = (left[:, kept] * size[kept]) @ right[kept]
    response = np.linalg.pinv(np.eye(units) - weights) @ weights
    found = greedy_choice(torch.from_numpy(response[:, None]), 1e-7, np.arange(units), np.arange(units), rank)
    share = found.error * (units - np.arange(rank + 1)) / (found.error[0] * units)
    drawn = [left_over(response, rng.permutation(units)[:6], 1e-7) * (units - 6) / units for _ in range(30)]
    assert share[6] < 0.75 * np.mean(drawn) / found.error[0]
    assert share[rank] < 1e-6 < share[rank - 1]


@pytest.fixture(scope="module")
def linear():
    """A circuit of nearly linear neurons: phi(u) is u to a millionth where biases are this small."""
    rng = np.random.default_rng(1)
    weights = 0.2 * rng.standard_normal((6, 6))
    net = Circuit(Connectome.of(weights, neurons=list("abcdef")), decay=1.0)
    seen = xr.DataArray(np.zeros((1, 30, 2)), dims=("trial", "time", "unit"), coords={"unit": ["a", "b"]})
    return weights, fit_activity(net, seen, noise=1e-5, prior=1e-3, progress=False), seen


def test_posterior_widths_of_a_linear_circuit(linear):
    """h_t = W (h_{t-1} + b), from h = 0."""
    weights, fit, seen = linear
    found = uncertainty(fit, seen)
    by_rate, rows = np.eye(6), []
    for _ in range(30):
        by_rate = weights @ by_rate + np.eye(6)
        rows.append(by_rate)
    recorded = np.concatenate([row[:2] for row in rows])
    covariance = np.linalg.inv(recorded.T @ recorded / 1e-10 + np.eye(6) / 1e-6)
    np.testing.assert_allclose(found.bias_sd, np.sqrt(np.diag(covariance)), rtol=1e-4)
    last = np.sqrt(np.diag(rows[-1] @ covariance @ rows[-1].T))
    np.testing.assert_allclose(found.activity_sd[0, -1], last, rtol=1e-4)
    np.testing.assert_allclose(found.singular_value**-2, np.sort(np.linalg.eigvalsh(covariance)), rtol=1e-4)
    assert found.activity_sd.dims == ("trial", "time", "unit")


def test_neurons_to_record_next(linear, tmp_path):
    _, fit, seen = linear
    found = record_next(fit, seen, k=3)
    assert set(found.neuron.values) < set("cdef") and len(set(found.neuron.values)) == 3
    errors = [float(found.expected_error_now), *found.expected_error.values]
    assert all(later < earlier for earlier, later in itertools.pairwise(errors))
    assert record_next(fit, seen, k=1, candidates=["d"]).neuron.item() == "d"
    for made in (found, uncertainty(fit, seen)):
        made.to_netcdf(tmp_path / "made.nc")
        xr.testing.assert_identical(xr.load_dataset(tmp_path / "made.nc"), made)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"k": 5}, "k must be"), ({"k": 0}, "k must be"), ({"candidates": ["a"]}, "candidates must be one of")],
)
def test_wrong_arguments_are_named(linear, settings, message):
    _, fit, seen = linear
    with pytest.raises(ValueError, match=message):
        record_next(fit, seen, **settings)
