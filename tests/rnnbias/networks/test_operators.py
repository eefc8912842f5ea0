"""Operators against the matrices that they stand for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard

from rnnbias.networks import (
    FNN,
    RNN,
    STRUCTURES,
    WIRINGS,
    Hadamard,
    LowRank,
    Recipe,
    bias_jacobian,
    jacobian_vector_product,
    layer_jacobian,
    vector_jacobian_product,
)
from rnnbias.networks.operators import walsh_hadamard

structures = pytest.mark.parametrize("structure", STRUCTURES)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def operator(structure, rows, columns):
    if structure == "hadamard":
        side = 1 << (columns - 1).bit_length()
        return Hadamard((rows, columns), normal(3, -(-rows // side), side))
    return LowRank((rows, columns), normal(rows, 3), normal(columns, 3, seed=1), normal(min(rows, columns), seed=2))


def written_out(weights):
    """Entry by entry, from the definitions alone."""
    rows, columns = weights.shape
    if isinstance(weights, LowRank):
        matrix = weights.left @ weights.right.T
        places = torch.arange(len(weights.diagonal))
        matrix[places, places] += weights.diagonal
        return matrix
    side = weights.diagonals.shape[2]
    h = torch.from_numpy(hadamard(side, dtype=float))
    blocks = [h @ c.diag() @ h @ b.diag() @ h @ a.diag() for a, b, c in weights.diagonals.unbind(1)]
    return torch.cat(blocks)[:rows, :columns]


def dense_twin(net):
    """The same network with all weights written out."""
    kind = type(net)
    settings = net.to_dict()
    recipe = {key: value for key, value in settings["recipe"].items() if key not in ("structure", "rank")}
    twin = kind.from_dict({**{k: v for k, v in settings.items() if k != "network"}, "recipe": recipe})
    names = {"recurrent": net.recurrence, "input": net.entry} if kind is RNN else {
        f"weight_{k + 1}": layer.weight for k, layer in enumerate(net.layers)
    }  # fmt: skip
    for name, weights in names.items():
        unit = torch.eye(weights.shape[1]).to(net.start)
        getattr(twin, name).copy_(weights.apply(unit).T)
    for name, value in net.state_dict().items():
        if name in twin.state_dict() and name not in names:
            twin.state_dict()[name].copy_(value)
    return twin


def recurrent(structure, wiring="independent", units=70, **more):
    recipe = Recipe(seed=3, structure=structure, rank=5, wiring=wiring, gain=0.9, input_scale=0.7, readout_scale=2.0)
    net = RNN(units, 2, 3, recipe=recipe, **more)
    with torch.no_grad():
        net.bias += 0.3 * normal(*net.bias.shape, seed=4)
    return net


@pytest.mark.parametrize("size", [1, 2, 16, 32, 64, 2048])
def test_the_transform_is_that_of_sylvesters_matrix(size):
    x = normal(3, 2, size)
    torch.testing.assert_close(walsh_hadamard(x), x @ torch.from_numpy(hadamard(size, dtype=float)))
    torch.testing.assert_close(walsh_hadamard(walsh_hadamard(x)), size * x)


def test_the_transform_takes_every_kind_of_derivative():
    x, v = normal(2, 64), normal(2, 64, seed=1)
    torch.testing.assert_close(torch.vmap(walsh_hadamard)(x), walsh_hadamard(x))
    torch.testing.assert_close(torch.func.jvp(walsh_hadamard, (x,), (v,))[1], walsh_hadamard(v))
    torch.testing.assert_close(torch.func.vjp(walsh_hadamard, x)[1](v)[0], walsh_hadamard(v))
    assert torch.autograd.gradgradcheck(lambda z: walsh_hadamard(z).sin(), x[:, :4].clone().requires_grad_())
    walsh_hadamard(x.requires_grad_()).sum().backward()  # after the transforms are over


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(STRUCTURES)), st.integers(1, 40), st.integers(1, 40))
def test_products_are_those_of_the_matrix(structure, rows, columns):
    weights = operator(structure, rows, columns)
    matrix, x, y = written_out(weights), normal(2, 3, columns), normal(4, rows)
    torch.testing.assert_close(weights.apply(x), x @ matrix.T)
    torch.testing.assert_close(weights.apply_transposed(y), y @ matrix)


@structures
@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("units", [70, 128])
def test_weights_have_the_scale_and_the_spectral_radius_of_dense_ones(structure, wiring, units):
    found = []
    for seed in range(4):
        net = RNN(
            units, 1, 1, recipe=Recipe(seed=seed, structure=structure, wiring=wiring, gain=0.8, readout_scale=1.0)
        )
        matrix = net.recurrence.apply(torch.eye(units).double()).T
        radius = np.abs(np.linalg.eigvals(net.wiring.spread(matrix.T).T)).max()
        found.append((float(matrix.square().sum(1).mean().sqrt()), radius))
    size, radius = np.median(found, 0)
    if structure == "hadamard":
        assert size == pytest.approx(0.8, rel=0.02) and radius == pytest.approx(0.8, rel=0.15)
    else:  # a quarter of the square of the diagonal is at its mean
        assert size == pytest.approx(0.8 * (1 / 2 + 1 / 6) ** 0.5, rel=0.15) and radius == pytest.approx(0.8, rel=0.3)


def test_a_power_of_two_of_units_has_an_orthogonal_matrix():
    matrix = recurrent("hadamard", units=64).recurrence.apply(torch.eye(64).double())
    torch.testing.assert_close(matrix @ matrix.T, 0.81 * torch.eye(64).double())


@structures
@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_network_and_its_jacobians_are_those_of_the_dense_one(structure, wiring):
    net = recurrent(structure, wiring, alpha=-0.4, beta=0.6)
    twin, x = dense_twin(net), normal(2, 6, 2)
    trace = net(x)
    torch.testing.assert_close(trace.rate, twin(x).rate)
    counted = torch.ones(2, 6, 3, dtype=torch.bool)
    torch.testing.assert_close(bias_jacobian(net, trace, counted).matrix, bias_jacobian(twin, twin(x), counted).matrix)
    v, w = normal(*net.bias.shape), normal(2, 6, 3)
    for product, vector in ((jacobian_vector_product, v), (vector_jacobian_product, w)):
        torch.testing.assert_close(product(net, trace, vector), product(twin, twin(x), vector))
    gradients = [torch.autograd.grad((one.read(one(x).rate) * w).sum(), one.bias)[0] for one in (net, twin)]
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(gradients[0], vector_jacobian_product(net, trace, w))


@structures
def test_layers_and_their_jacobian_are_those_of_the_dense_one(structure):
    recipe = Recipe(seed=2, structure=structure, rank=4, wiring="twins", gain=1.0, input_scale=1.0, readout_scale=3.0)
    net = FNN((100, 24, 40), 70, 2, recipe=recipe, learn=("bias", "gain"))
    twin, x = dense_twin(net), normal(5, 70)
    torch.testing.assert_close(net(x), twin(x))
    torch.testing.assert_close(layer_jacobian(net, x), layer_jacobian(twin, x))
    kept = {name for name, _ in net.named_buffers()}
    assert ("weight_1" in kept) == (structure == "low-rank") and "weight_2" not in kept


def test_a_first_layer_in_blocks_has_the_scale_of_inputs():
    net = FNN(4000, 784, 1, recipe=Recipe(structure="hadamard", wiring="independent", input_scale=0.3))
    matrix = net.layers[0].weight.apply(torch.eye(784).double())
    assert float(matrix.std()) == pytest.approx(0.3, rel=0.01) and float(matrix.mean().abs()) < 1e-3
    assert abs(np.corrcoef(matrix.T[:200])[np.triu_indices(200, 1)]).max() < 0.25  # rows of different blocks too
    assert net.get_buffer("weight_1_diagonals").shape == (3, 4, 1024)


@structures
@pytest.mark.parametrize("law", ["gaussian", "uniform", "spherical", "ternary"])
def test_drawing_is_index_stable(structure, law):
    recipe = Recipe(seed=5, structure=structure, rank=3, law=law, wiring="independent", gain=1.0)
    few, many = (recipe.draw(n, inputs=3, outputs=2) for n in (70, 128))
    wider = recipe.draw(70, inputs=3 if law == "spherical" else 4, outputs=2)
    np.testing.assert_array_equal(few.input, many.input[:70])
    np.testing.assert_array_equal(few.input, wider.input[:, :3])
    np.testing.assert_array_equal(few.bias, many.bias[:70])
    np.testing.assert_allclose(few.readout, many.readout[:, :70] * (128 / 70) ** 0.5, rtol=1e-14)
    made = (
        STRUCTURES[structure]((n, n), *map(torch.from_numpy, drawn.recurrent.values())).apply(torch.eye(n).double()).T
        for n, drawn in ((70, few), (128, many))
    )
    beside = ~torch.eye(70, dtype=torch.bool)  # the diagonal of low rank is not divided by sqrt(units)
    small, large = (weights[:70, :70][beside] * len(weights) ** 0.5 for weights in made)
    torch.testing.assert_close(small, large)
    if structure == "low-rank":
        np.testing.assert_array_equal(few.recurrent["diagonal"], many.recurrent["diagonal"][:70])


def test_structured_draws_are_spread_as_the_law_says():
    for law in ("gaussian", "uniform", "spherical", "ternary"):
        drawn = Recipe(structure="hadamard", law=law, wiring="independent", input_scale=1.0).draw(
            4000, inputs=30, outputs=1
        )
        assert drawn.input.std() == pytest.approx(1.0, rel=0.02) and abs(drawn.input.mean()) < 0.02
    rows = Recipe(structure="hadamard", law="spherical", input_scale=1.0).draw(20, inputs=3, outputs=1).input
    np.testing.assert_allclose((rows**2).sum(1), 3.0)


@structures
def test_memory_is_that_of_the_units(structure):
    sizes = [sum(b.numel() for b in RNN(n, 1, 1, recipe=Recipe(structure=structure)).buffers()) for n in (2**10, 2**14)]
    assert sizes[1] / sizes[0] == pytest.approx(16, rel=0.01)
    assert sizes[1] <= 2 * 2**14 * 40


@pytest.mark.parametrize("kind", [RNN, FNN])
def test_what_does_not_fit_into_memory_is_refused_before_it_is_drawn(monkeypatch, kind):
    units = 10**5 if kind is RNN else (10**5, 10**5)
    monkeypatch.setattr("rnnbias.networks.base.available", lambda: 10**10)
    monkeypatch.setattr(Recipe, "draw", None)
    monkeypatch.setattr(Recipe, "draw_layers", None)
    with pytest.raises(
        ValueError, match=r"units must be at most .* take 80,0\d\d MB, and 10,000 MB are available; .* \d MB"
    ):
        kind(units, 1, 1, recipe=Recipe(wiring="independent"))
    with pytest.raises(ValueError, match="take 120,0"):  # drawn in double precision, then kept in single
        kind(units, 1, 1, recipe=Recipe(wiring="independent"), dtype=torch.float32)
    with pytest.raises(TypeError, match="not callable"):  # what fits is drawn
        kind(units, 1, 1, recipe=Recipe(wiring="independent", structure="hadamard"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"structure": "sparse"}, "structure must be one of 'dense', 'hadamard', 'low-rank'"),
        ({"rank": 0}, "rank must be at least 1"),
        ({"rank": 2.5}, "rank must be a whole number"),
        ({"structure": "hadamard", "law": "dale"}, "law must not be 'dale' with structure 'hadamard'"),
    ],
)
def test_wrong_structures_are_refused(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Recipe(**change)


@structures
@pytest.mark.parametrize("kind", [RNN, FNN])
def test_structured_weights_do_not_learn(structure, kind):
    with pytest.raises(ValueError, match=f"learn must be without weights where their structure is '{structure}'"):
        kind(8, 1, 1, recipe=Recipe(structure=structure), learn={"bias", "weights"})


def test_settings_of_dense_recipes_are_as_before():
    assert not {"structure", "rank"} & set(Recipe().to_dict())
    for recipe in (Recipe(), Recipe(structure="low-rank", rank=7), Recipe(structure="hadamard"), Recipe(rank=3)):
        assert Recipe(**recipe.to_dict()) == recipe


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("structure", ["dense", *STRUCTURES])
def test_the_same_on_a_cuda_device(structure):
    here, there = recurrent(structure), recurrent(structure, device="cuda")
    x, counted = normal(2, 6, 2), torch.ones(2, 6, 3, dtype=torch.bool)
    found = bias_jacobian(there, there(x.cuda()), counted.cuda()).matrix
    torch.testing.assert_close(there(x.cuda()).rate.cpu(), here(x).rate)
    torch.testing.assert_close(found.cpu(), bias_jacobian(here, here(x), counted).matrix)
    assert here.digests() == there.digests()
