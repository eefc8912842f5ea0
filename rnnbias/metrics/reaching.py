"""How good reaches were, from the Dataset that `ReachFit.reach` returns; one number a trial.

endpoint_error          distance from the target at the end (m)
lateral_deviation       distance from the straight path at peak speed (m), signed
initial_angle           direction of the first part of the reach, from that of the target (degrees), signed
peak_speed, peak_time   the largest speed of the hand (m/s) and its time after the go cue (s)
path_ratio              length of the path over the distance from start to target
success                 whether the hand ends within a radius of the target
kinematics              all of them

Where the sight of the hand is turned or scaled, places are those of the hand as seen. Only what follows the go cue
counts. Signed numbers are positive to the left of the straight path from start to target.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from systems import checks
from systems.labels import Labelled, config, dataset

__all__ = [
    "endpoint_error", "initial_angle", "kinematics", "lateral_deviation", "path_ratio", "peak_speed", "peak_time",
    "success",
]  # fmt: skip

_FIRST_PART = 0.5  # the first part of a reach ends where the hand first has this fraction of its peak speed


def endpoint_error(reach: xr.Dataset) -> xr.DataArray:
    """|p(T) - p*|, the distance of the hand from the target at the last sample (m)."""
    seen = _values(reach, "seen")
    return _labelled(reach, np.linalg.norm(seen[:, -1] - reach.target.values, axis=1), "m", "end-point error")


def lateral_deviation(reach: xr.Dataset) -> xr.DataArray:
    """Signed distance of the hand from the straight path (m) when it is fastest."""
    _, left = _offset(reach, _speed(reach).argmax(1))
    return _labelled(reach, left, "m", "lateral deviation at peak speed, left positive")


def initial_angle(reach: xr.Dataset) -> xr.DataArray:
    """Angle (degrees) from the straight path to the hand when it first moves at half its peak speed."""
    speed = _speed(reach)
    ahead, left = _offset(reach, (speed >= _FIRST_PART * speed.max(1, keepdims=True)).argmax(1))
    return _labelled(reach, np.degrees(np.arctan2(left, ahead)), "degree", "initial angle, left positive")


def peak_speed(reach: xr.Dataset) -> xr.DataArray:
    """The largest speed of the hand (m/s)."""
    return _labelled(reach, _speed(reach).max(1), "m s-1", "peak speed")


def peak_time(reach: xr.Dataset) -> xr.DataArray:
    """When the hand is fastest (s after the go cue)."""
    times = reach.time.values[reach.time.values > 0]
    return _labelled(reach, times[_speed(reach).argmax(1)], "s", "time of peak speed")


def path_ratio(reach: xr.Dataset) -> xr.DataArray:
    """Length of the hand's path over the distance from start to target; 1 is straight and no farther."""
    start, target = reach.start.values, reach.target.values
    path = np.concatenate([start[:, None], _values(reach, "seen")], 1)
    length = np.linalg.norm(np.diff(path, axis=1), axis=2).sum(1)
    return _labelled(reach, length / np.linalg.norm(target - start, axis=1), "1", "path length over distance")


def success(reach: xr.Dataset, radius: float = 0.01) -> xr.DataArray:
    """Whether the hand ends within `radius` (m) of the target."""
    checks.number("radius", radius, above=0)
    near = endpoint_error(reach).values <= radius
    return _labelled(reach, near, "1", f"ends within {radius:g} m of the target")


def kinematics(reach: xr.Dataset, radius: float = 0.01) -> xr.Dataset:
    """Every quantity of this module as one Dataset over `trial`; `radius` (m) is that of `success`.

    >>> from rnnbias import fit_reach
    >>> from systems.tasks.reaching import CentreOut
    >>> fit = fit_reach(CentreOut(targets=4), units=150, goal=1e-2, progress=False)
    >>> bool(kinematics(fit.reach()).success.all())
    True
    """
    found = [endpoint_error, lateral_deviation, initial_angle, peak_speed, peak_time, path_ratio]
    arrays = {measure.__name__: measure(reach) for measure in found} | {"success": success(reach, radius)}
    variables = {
        name: Labelled("trial", array.values, array.attrs["units"], array.attrs["long_name"])
        for name, array in arrays.items()
    }
    trial = {"trial": Labelled("trial", reach.trial.values, "1", "trial")}
    ds = dataset(variables, trial, title="kinematics of reaches", config=config(reach))
    return ds.assign_coords({name: reach[name] for name in ("start", "target", "angle")})


def _values(reach: xr.Dataset, name: str) -> NDArray:
    """A variable from the go cue on, (trial, time, space)."""
    return reach[name].transpose("trial", "time", "space").values[:, reach.time.values > 0]


def _speed(reach: xr.Dataset) -> NDArray:
    return np.linalg.norm(_values(reach, "velocity"), axis=2)


def _offset(reach: xr.Dataset, sample: NDArray) -> tuple[NDArray, NDArray]:
    """How far the hand is along the straight path and to the left of it, at one sample of each trial."""
    start = reach.start.values
    aim = reach.target.values - start
    (x, y), (a, b) = (
        (aim / np.linalg.norm(aim, axis=1, keepdims=True)).T,
        (_values(reach, "seen")[np.arange(len(sample)), sample] - start).T,
    )
    return x * a + y * b, x * b - y * a


def _labelled(reach: xr.Dataset, values: NDArray, units: str, long_name: str) -> xr.DataArray:
    return xr.DataArray(values, {"trial": reach.trial}, "trial", attrs={"units": units, "long_name": long_name})
