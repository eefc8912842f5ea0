"""Learn what the notebooks open, and save it in notebooks/saved: a few minutes on two cores.

python notebooks/prepare.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rnnbias import fit_autonomous, fit_reach, fit_system
from systems.plants.loads import CurlField, VisuomotorRotation
from systems.tasks.losses import EFFORT, PATH, Loss
from systems.tasks.reaching import CentreOut

_SAVED = Path(__file__).parent / "saved"


def main() -> None:
    """Fit and save."""
    _SAVED.mkdir(exist_ok=True)
    for name in ("lorenz63", "halvorsen", "chen"):  # one seed: the same frozen matrices
        fit_system(name).save(_SAVED / f"{name}.nc")
    fit_autonomous("van_der_pol").save(_SAVED / "van_der_pol.nc")
    # A free mass would fly off where a field is switched off.
    reach = fit_reach(CentreOut(targets=24), plant="point-viscous", loss=Loss() + PATH + 1e-3 * EFFORT, goal=1e-3)
    reach.save(_SAVED / "reach.nc")
    for name, load in (("curl", CurlField(5.0)), ("rotation", VisuomotorRotation(30.0))):
        reach.adapt(replace(reach.task, load=load), goal=1e-3).save(_SAVED / f"{name}.nc")


if __name__ == "__main__":
    main()
