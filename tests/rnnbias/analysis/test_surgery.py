import numpy as np
import pytest
import torch
import xarray as xr

from rnnbias import RNN, Recipe
from rnnbias.analysis import lesion, transplant


def silent(network):
    with torch.no_grad():
        return (network(torch.ones(1, 1, 1, dtype=torch.float64)).rate == 0).sum().item()


def test_a_cluster_takes_the_donors_numbers_and_nothing_else():
    net = RNN(12, 1, 1)
    seen = []
    labels = np.array([0, 1, 1, 2, -1, 2])
    transplant(
        net, np.arange(6.0) + 10, np.arange(6.0), labels, lambda n: seen.append(n.bias.tolist()) or 0.0, controls=1
    )
    assert seen[0] == [0, 1, 2, 3, 4, 5]  # the recipient
    assert seen[1] == [10, 1, 2, 3, 4, 5] and seen[3] == [0, 11, 12, 3, 4, 5] and seen[5] == [0, 1, 2, 13, 4, 15]
    assert seen[-1] == [10, 11, 12, 13, 14, 15]  # the donor
    assert all(sum(value >= 10 for value in row) == size for row, size in zip(seen[2:7:2], (1, 2, 2), strict=True))
    assert not net.bias.any()


def test_the_cluster_that_matters_stands_out_from_its_controls():
    net = RNN(80, 1, 1)
    labels = np.repeat([0, 1], 20)
    ds = transplant(net, np.ones(40), np.zeros(40), labels, lambda n: n.bias[:20].prod().item(), controls=99, seed=1)
    assert ds.value.values.tolist() == [1.0, 0.0] and (ds.control.sel(cluster=0) == 0).all()
    np.testing.assert_allclose(ds.p_value, [0.01, 1.0])
    assert ds["size"].values.tolist() == [20, 20] and ds.intact == 0 and ds.donor == 1


@pytest.mark.parametrize("wiring", ["push-pull", "independent"])
def test_lesioned_units_are_silent_and_the_network_is_not(wiring):
    net = RNN(8, 1, 1, recipe=Recipe(wiring=wiring))
    before = net.digests()
    ds = lesion(net, xr.DataArray([0, 0, 0, 1, 1, -1, -1, -1], dims="unit"), silent, controls=5)
    assert ds.value.values.tolist() == [3, 2] and ds.intact == 0
    assert (ds.control == [[3], [2]]).all()
    assert net.digests() == before and net.learn == ("bias",) and silent(net) == 0


def test_a_network_that_has_a_mask_keeps_it():
    net = RNN(6, 1, 1, learn=("bias", "mask"))
    net.mask.data[0] = -1.0
    ds = lesion(net, [0, 0, 1, 1, -1, -1], silent, controls=2)
    assert ds.intact == 1 and ds.value.values.tolist() == [2, 3]


def test_controls_are_seeded():
    net = RNN(20, 1, 1)
    a, b, c = (
        lesion(net, np.repeat([0, -1], 10), lambda n: n.read(n(torch.ones(1, 2, 1).double()).rate).sum().item(), seed=s)
        for s in (1, 1, 2)
    )
    xr.testing.assert_identical(a, b)
    assert (a.control != c.control).any()


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"cluster": [0, 1]}, ValueError, "cluster must have a label for each unit, 4, got 2"),
        ({"cluster": [0, 1, 0.5, 0]}, ValueError, "cluster must hold whole numbers"),
        ({"cluster": [-1, -1, -1, -1]}, ValueError, "cluster must hold whole numbers, one of them 0 or more"),
        ({"cluster": [np.nan, 0, 0, 0]}, ValueError, "cluster must be finite"),
        ({"controls": 0}, ValueError, "controls must be at least 1"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"evaluate": lambda n: 1j}, TypeError, "evaluate must return a number"),
        ({"network": torch.nn.Linear(2, 2)}, TypeError, "network must be an RNN"),
    ],
)
def test_lesion_refuses(change, kind, words):
    with pytest.raises(kind, match=words):
        lesion(**{"network": RNN(4, 1, 1), "cluster": [0, 0, 1, 1], "evaluate": silent} | change)


def test_transplant_wants_a_label_for_each_learned_number():
    with pytest.raises(ValueError, match="a label for each learned number, 2, got 4"):
        transplant(RNN(4, 1, 1), np.ones(2), np.zeros(2), [0, 0, 1, 1], silent)
