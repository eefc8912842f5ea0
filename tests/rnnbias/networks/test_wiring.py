import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnbias.networks import WIRINGS

PAIRED, TWINS, SINGLE = (WIRINGS[name] for name in ("push-pull", "twins", "independent"))


@given(wiring=st.sampled_from(list(WIRINGS.values())), rows=st.integers(1, 9), seed=st.integers(0, 100))
@pytest.mark.parametrize(("there", "back"), [("spread", "gather"), ("oppose", "contrast"), ("to_units", "to_biases")])
def test_they_are_transposes(there, back, wiring, rows, seed):
    rng = torch.Generator().manual_seed(seed)
    units = rows * wiring.units_per_row
    v = torch.randn(3, units // wiring.units_per_bias if there == "to_units" else rows, generator=rng).double()
    w = torch.randn(3, units, generator=rng).double()
    torch.testing.assert_close((getattr(wiring, there)(v) * w).sum(), (v * getattr(wiring, back)(w)).sum())


def test_by_hand():
    rows, units = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.0, 5.0, 9.0]])
    for wiring in (PAIRED, TWINS):
        assert wiring.spread(rows).tolist() == [[1, 1, 2, 2]]
        assert wiring.oppose(rows).tolist() == [[1, -1, 2, -2]]
        assert wiring.gather(units).tolist() == [[3, 14]]
        assert wiring.contrast(units).tolist() == [[-1, -4]]
    assert PAIRED.to_units(rows).tolist() == [[1, -1, 2, -2]] and PAIRED.to_biases(units).tolist() == [[-1, -4]]
    assert TWINS.to_units(units).tolist() == TWINS.to_biases(units).tolist() == units.tolist()
    for name in ("spread", "oppose", "gather", "contrast", "to_units", "to_biases"):
        assert getattr(SINGLE, name)(units).tolist() == units.tolist()


def test_a_pair_needs_two_units():
    assert PAIRED.rows(6) == TWINS.rows(6) == 3 and SINGLE.rows(5) == 5
    with pytest.raises(ValueError, match="units must be even under push-pull wiring, got 5"):
        PAIRED.rows(5)
