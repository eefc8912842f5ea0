import numpy as np
import pytest
import torch
import xarray as xr

from rnnbias import RNN, Recipe
from rnnbias.bank import Bank


def network(**options):
    return RNN(8, 2, 1, recipe=Recipe(seed=4, readout_scale=1.0), **{"learn": ("bias", "gain"), **options})


def move(net, seed):
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += torch.randn(parameter.shape, generator=rng, dtype=parameter.dtype)
    return net


def output(net):
    with torch.no_grad():
        return net.read(net(torch.ones(3, 5, 2, dtype=torch.float64)).rate)


def test_a_task_is_switched_to_the_bit():
    net, wanted = network(), {}
    bank = Bank(net)
    for k, name in enumerate(("reach", "hold")):
        move(net, k)
        bank.store(name)
        wanted[name] = output(net)
    assert not torch.equal(wanted["reach"], wanted["hold"])
    for name in ("hold", "reach", "hold"):
        assert torch.equal(output(bank.use(name)), wanted[name])
    assert list(bank) == ["start", "reach", "hold"] and len(bank) == 3 and "reach" in bank and "x" not in bank
    assert torch.equal(output(bank.use("start")), output(network()))


def test_what_is_lent_is_given_back_even_after_an_error():
    bank = Bank(move(network(), 0))
    bank.store("here")
    before = output(move(bank.network, 1))
    with pytest.raises(ZeroDivisionError), bank.using("here"):
        raise ZeroDivisionError
    assert torch.equal(output(bank.network), before)


def test_sets_are_copies():
    bank = Bank(network())
    move(bank.network, 0)
    bank["start"]["bias"].add_(1.0)
    assert not bank["start"]["bias"].any()
    assert set(bank["start"]) == {"bias", "gain"}  # and nothing frozen


def test_storing_again_replaces():
    bank = Bank(network())
    move(bank.network, 0)
    bank.store("start")
    assert bank["start"]["bias"].any() and len(bank) == 1


def test_learning_one_task_leaves_the_others():
    bank = Bank(network())
    before = bank["start"]
    optimiser = torch.optim.Adam(bank.network.parameters(), lr=0.1)
    net = bank.network
    net.read(net(torch.ones(1, 4, 2, dtype=torch.float64)).rate).sum().backward()
    optimiser.step()
    bank.store("learned")
    assert all(torch.equal(bank["start"][part], before[part]) for part in before)
    assert not torch.equal(bank["learned"]["bias"], before["bias"])


@pytest.mark.parametrize("name", ["", None, 3])
def test_names_are_words(name):
    with pytest.raises(ValueError, match="name must be a word, got"):
        Bank(network()).store(name)


def test_unknown_names():
    bank = Bank(network())
    with pytest.raises(KeyError, match=r"name must be one of 'start', got 'reach'"):
        bank.use("reach")
    with pytest.raises(KeyError), bank.using("reach"):
        pass


def test_frozen_weights_that_have_moved_are_noticed():
    bank = Bank(network())
    bank.network.recurrent += 1e-12
    for act in (lambda: bank.use("start"), lambda: bank.store("x")):
        with pytest.raises(RuntimeError, match="the frozen recurrent must be those that the bank was made with"):
            act()


def test_biases_of_all_sets_are_labelled(tmp_path):
    bank = Bank(network())
    move(bank.network, 0)
    bank.store("moved")
    ds = bank.to_dataset()
    assert ds.bias.dims == ("task", "unit") and ds.task.values.tolist() == ["start", "moved"]
    np.testing.assert_array_equal(ds.bias.sel(task="moved"), bank.network.biases.detach())
    np.testing.assert_array_equal(ds.bias.sel(task="start"), network().biases.detach())
    ds.to_netcdf(tmp_path / "bank.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "bank.nc", engine="h5netcdf"), ds)


def test_numbers_come_from_another_network_of_the_same_frozen_arrays():
    bank, other = Bank(network()), move(network(), 3)
    bank.store("other", other)
    assert torch.equal(output(bank.use("other")), output(other))
    with pytest.raises(RuntimeError, match=r"frozen .*readout.* must be those that the bank was made with"):
        bank.store("stranger", RNN(8, 2, 1, recipe=Recipe(seed=5), learn=("bias", "gain")))
    with pytest.raises(RuntimeError, match="frozen arrays must be"):
        bank.store("stranger", network(learn="bias"))
