import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnbias.networks import wiring as pairs


@given(fan=st.sampled_from([1, 2]), rows=st.integers(1, 9), seed=st.integers(0, 100))
@pytest.mark.parametrize(("there", "back"), [(pairs.share, pairs.gather), (pairs.oppose, pairs.difference)])
def test_they_are_transposes(there, back, fan, rows, seed):
    rng = torch.Generator().manual_seed(seed)
    v = torch.randn(3, rows, generator=rng, dtype=torch.float64)
    w = torch.randn(3, rows * fan, generator=rng, dtype=torch.float64)
    torch.testing.assert_close((there(v, fan) * w).sum(), (v * back(w, fan)).sum())


def test_by_hand():
    rows, units = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.0, 5.0, 9.0]])
    assert pairs.share(rows, 2).tolist() == [[1, 1, 2, 2]]
    assert pairs.oppose(rows, 2).tolist() == [[1, -1, 2, -2]]
    assert pairs.gather(units, 2).tolist() == [[3, 14]]
    assert pairs.difference(units, 2).tolist() == [[-1, -4]]
    for f in (pairs.share, pairs.oppose, pairs.gather, pairs.difference):
        assert f(units, 1).tolist() == units.tolist()
