import pytest

import columns


@pytest.fixture(autouse=True, scope="session")
def _two_noises():
    """Robustness at two levels of noise, where a benchmark has eleven."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "NOISES", (1e-9, 1.0))
        yield
