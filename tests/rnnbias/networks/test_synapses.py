"""Sparse products against dense ones."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from rnnbias.networks.synapses import Pattern, Sparse


@pytest.fixture
def wiring():
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((9, 9)) * (rng.random((9, 9)) < 0.3)
    sparse = csr_array(dense)
    pattern = Pattern.of(*(torch.tensor(part, dtype=torch.int64) for part in (sparse.indices, sparse.indptr)))
    return torch.from_numpy(dense), torch.from_numpy(sparse.data).requires_grad_(), pattern


def test_products_are_those_of_the_matrix(wiring):
    dense, values, pattern = wiring
    rates = torch.randn(4, 5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Sparse(values, pattern).apply(rates), rates @ dense.T)
    torch.testing.assert_close(pattern.written_out(values), dense)
    torch.testing.assert_close(pattern.matrix(values, transposed=True).to_dense(), dense.T)


def test_derivatives_of_first_and_second_order(wiring):
    _, values, pattern = wiring
    rates = torch.randn(3, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda v, r: Sparse(v, pattern).apply(r), (values, rates))
    assert torch.autograd.gradgradcheck(lambda v, r: Sparse(v, pattern).apply(r), (values, rates))


def test_products_with_many_vectors_at_once(wiring):
    dense, values, pattern = wiring
    many = torch.randn(6, 2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = torch.vmap(lambda rates: Sparse(values, pattern).apply(rates), in_dims=0)(many)
    torch.testing.assert_close(found, many @ dense.T)


def test_wide_and_sparse_patterns_stay_sparse():
    starts = torch.arange(1001)
    assert not Pattern.of(torch.arange(1000), starts).dense
    assert Pattern.of(torch.arange(100), torch.arange(101)).dense
