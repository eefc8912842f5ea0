from dataclasses import replace

import pytest

import columns
import systems


@pytest.fixture(autouse=True, scope="session")
def _two_noises():
    """Robustness at two levels of noise, where a benchmark has eleven."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "NOISES", (1e-9, 1.0))
        yield


@pytest.fixture(scope="module")
def short_transients():
    """Systems that start almost where they are drawn."""
    get = systems.get
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(systems, "get", lambda name, **parameters: replace(get(name, **parameters), transient=1.0))
        yield
