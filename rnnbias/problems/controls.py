"""`connectome_controls`: what real wiring is worth, beside wiring that is not."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from rnnbias.networks import Circuit
from rnnbias.problems.activity import fit_activity
from rnnbias.solvers import Adam
from systems import checks
from systems.connectomes import degree_preserving, scrambled_signs, shuffled_identities
from systems.labels import Labelled, dataset

__all__ = ["CONTROLS", "connectome_controls"]

#: By name: the wiring that a student gets.
_SHUFFLES = {
    "degree-preserving shuffle": degree_preserving,
    "shuffled identities": shuffled_identities,
    "scrambled signs": scrambled_signs,
}
CONTROLS = ("connectome", *_SHUFFLES, "weights learned", "outputs alone")


def connectome_controls(
    network: Circuit,
    recording: xr.Dataset | xr.DataArray,
    test: xr.Dataset | xr.DataArray,
    inputs: xr.DataArray | ArrayLike | None = None,
    test_inputs: xr.DataArray | ArrayLike | None = None,
    *,
    controls: Iterable[str] = CONTROLS,
    adam: Adam | None = None,
    seed: int = 0,
    progress: bool = True,
    **options: Any,
) -> xr.Dataset:
    """Learn one recording over a connectome and over what it should be compared with, and score all on a test.

    - "connectome": biases and gains learn, as `network` says;
    - "degree-preserving shuffle", "shuffled identities", "scrambled signs": the same over wiring shuffled by `seed`;
    - "weights learned": the synapses that there are learn instead, by Adam;
    - "outputs alone": what learns sees the recorded outputs, and no neuron; left out where none were recorded.

    Parameters
    ----------
    network, recording, inputs
        As in `fit_activity`.
    test, test_inputs
        Activity of neurons that were not recorded, or under other inputs; as in `ActivityFit.score`.
    controls : sequence of str
        Some of those above.
    adam : Adam, optional
        What learns weights; default: `Adam(iterations=1000, rate=5e-3)`.
    seed : int
        Of the shuffles.
    progress : bool
        Whether to show a progress bar.
    **options
        As in `fit_activity`: noise, prior and so on.

    Returns
    -------
    xarray.Dataset
        Over `control`: `recorded_error` and `unrecorded_error`, mean square errors on the test as shares of the
        variance of the neurons; `unrecorded_correlation`, the median over neurons; `learned`, how many numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from systems.connectomes import celegans
    >>> worm = celegans().scaled("rows", 0.95).only(celegans().neurons[:60])
    >>> truth, drive = Circuit(worm, inputs=3, decay=0.3), np.random.default_rng(0).standard_normal((4, 30, 3))
    >>> _ = truth.bias.data.normal_(0, 0.3)
    >>> whole = truth.run(drive).rate
    >>> found = connectome_controls(
    ...     truth.redrawn(), whole[..., ::3], whole, drive, drive, prior=0.3, progress=False,
    ...     controls=["connectome", "shuffled identities"],
    ... )
    >>> real, shuffled = found.recorded_error.values
    >>> bool(real < shuffled)
    True
    """
    chosen = [checks.choice("controls", name, CONTROLS) for name in controls]
    with_outputs = isinstance(recording, xr.Dataset) and "outputs" in recording
    if not with_outputs:
        chosen = [name for name in chosen if name != "outputs alone"]
    rows = []
    for name in tqdm(chosen, desc="controls", disable=not progress, leave=False):
        circuit, data, more = network, recording, dict(options)
        if name in _SHUFFLES:
            circuit = network.on(_SHUFFLES[name](network.connectome, seed))
        elif name == "weights learned":
            more |= {"learn": "weights", "solver": adam or Adam(iterations=1000, rate=5e-3)}
        elif name == "outputs alone":
            data = recording.drop_vars("activity")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fit = fit_activity(circuit, data, inputs, seed=seed, progress=False, **more)
        rows.append(_row(fit.score(test, test_inputs), recording, fit.learned))
    table = {key: [row[key] for row in rows] for key in rows[0]}
    return dataset(
        {
            "recorded_error": Labelled("control", table["recorded"], "1", "error on recorded neurons over variance"),
            "unrecorded_error": Labelled("control", table["others"], "1", "error on other neurons over variance"),
            "unrecorded_correlation": Labelled("control", table["correlation"], "1", "median correlation of others"),
            "learned": Labelled("control", table["learned"], "1", "learned numbers"),
        },
        {"control": Labelled("control", chosen, "1", "what the student was given")},
        title=f"controls of {network.connectome.name}",
        config={"seed": seed, "network": network.to_dict()},
    )


def _row(score: xr.Dataset, recording: xr.Dataset | xr.DataArray, learned: int) -> dict[str, float]:
    """The numbers of one control."""
    seen = recording if isinstance(recording, xr.DataArray) else recording.get("activity")
    known = np.isin(score.unit.values, [] if seen is None else seen.unit.values)

    def share(where: np.ndarray) -> float:
        if not where.any():
            return float("nan")
        return float(score.error.values[where].sum() / score.variance.values[where].sum())

    correlation = score.correlation.values[~known]
    middle = float(np.nanmedian(correlation)) if np.isfinite(correlation).any() else float("nan")
    return {"recorded": share(known), "others": share(~known), "correlation": middle, "learned": float(learned)}
