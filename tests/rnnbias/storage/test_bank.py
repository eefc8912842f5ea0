import copy

import numpy as np
import pytest
import torch
import xarray as xr

from rnnbias import FNN, RNN, Recipe, load
from rnnbias.storage import Bank, write_netcdf


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


# In files ---------------------------------------------------------------------------------------------------


def three():
    bank = Bank(network())
    for k, name in enumerate(("reach", "hold")):
        bank.store(name, move(network(), k))
    return bank


def test_a_bank_comes_back_to_the_bit(tmp_path):
    one = three()
    two = Bank.load(one.save(tmp_path / "bank.nc"))
    assert list(two) == ["start", "reach", "hold"]
    for name in one:
        assert torch.equal(output(two.use(name)), output(one.use(name)))
    xr.testing.assert_identical(two.to_dataset(), one.to_dataset())
    assert not {"recurrent", "input", "readout"} & set(one.to_dataset())


@pytest.mark.parametrize("net", [FNN((4, 6), 2, 3, learn=("bias", "readout")), RNN(6, 1, 2, dtype=torch.float32)])
def test_any_network_can_be_kept(net, tmp_path):
    bank = Bank(net)
    bank.store("moved", move(copy.deepcopy(net), 1))
    back = Bank.load(bank.save(tmp_path / "bank.nc"))
    assert type(back.network) is type(net) and back.network.to_dict() == net.to_dict()
    assert all(torch.equal(back["moved"][part], bank["moved"][part]) for part in bank["moved"])


def test_weights_that_learned_before_they_were_frozen_are_kept_too(tmp_path):
    net = network()
    net.recurrent.mul_(1.5)
    back = Bank.load(Bank(net).save(tmp_path / "bank.nc"))
    assert torch.equal(back.network.recurrent, net.recurrent) and not torch.equal(net.recurrent, network().recurrent)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.assign(learned_gain=ds.learned_gain * 2), "the digest of learned_gain does not match"),
        (lambda ds: ds.assign_coords(task=["start", "hold", "hold"]), "task must name every set in its own way"),
        (lambda ds: ds.assign_attrs(format="rnnbias fit 2"), "is not a bank of this version"),
        (lambda ds: ds.drop_vars("learned_gain"), "the digest of learned_gain does not match"),
        (lambda ds: ds.assign_attrs(config="{"), "is damaged or was altered"),
    ],
)
def test_an_altered_bank_is_refused(change, message, tmp_path):
    path = write_netcdf(change(three().to_dataset()), tmp_path / "bank.nc")
    with pytest.raises(ValueError, match=message):
        Bank.load(path)


def test_what_is_no_bank_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="path must name a file"):
        Bank.load(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("bank")
    with pytest.raises(ValueError, match="truncated, altered or not written by rnnbias"):
        Bank.load(tmp_path / "text.nc")
    with pytest.raises(ValueError, match="is not a fit of this version"):
        load(three().save(tmp_path / "bank.nc"))
