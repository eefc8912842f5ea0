import sys

import numpy as np
import pytest
import torch

import systems
from systems.flows import catalogue

SOME = ["Lorenz", "Thomas", "Torus", "HyperRossler", "Duffing"]


def test_without_dysts_the_error_says_what_to_install(monkeypatch):
    catalogue._metadata.cache_clear()
    monkeypatch.setitem(sys.modules, "dysts.base", None)
    with pytest.raises(ImportError, match=r"pip install 'rnnbias\[catalogue\]'"):
        systems.get("dysts:Lorenz")


@pytest.mark.parametrize("name", SOME)
def test_fields_equal_those_of_dysts(name):
    flows = pytest.importorskip("dysts.flows")
    system = systems.get(f"dysts:{name}")
    x = system.starts(3, seed=0)
    want = [getattr(flows, name)().rhs(row, 0.3) for row in x]
    np.testing.assert_allclose(system(0.3, torch.from_numpy(x)), want, rtol=1e-12)


def test_a_flow_is_a_system_like_any_other():
    pytest.importorskip("dysts")
    system = systems.get("dysts:Lorenz", rho=20.0)
    assert system.p.rho == 20 and system.lyapunov is None
    x = torch.as_tensor(system.starts(2, seed=0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: system(0.0, x), x)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Lorentz", r"got 'Lorentz'; did you mean 'Lorenz'"),
        ("lorenz", r"did you mean .*'Lorenz'"),
        ("qqq", r"got 'qqq'; systems.flows.catalogue.flows\(\) lists them"),
        ("MackeyGlass", r"got 'MackeyGlass', which cannot: it has a delay"),
        ("Hopfield", r"its parameters are arrays \(k\)"),
        ("BickleyJet", r"its parameters are arrays \(eps, k, sigma\)"),
        ("BelousovZhabotinsky", "its equations branch on the sign of x0"),
        ("Colpitts", "its equations are a method of the dysts object"),
    ],
)
def test_the_error_says_why_a_flow_cannot_be_had(name, why):
    pytest.importorskip("dysts")
    with pytest.raises(ValueError, match=why) as error:
        systems.get(f"dysts:{name}")
    assert len(str(error.value)) < 200


def test_every_flow_on_the_list_can_be_had():
    pytest.importorskip("dysts")
    assert len(catalogue.flows()) > 100
    for name in catalogue.flows():
        assert systems.get(f"dysts:{name}").name == f"dysts:{name}"
