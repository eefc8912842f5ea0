import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from threadpoolctl import threadpool_info

import systems
from rnnbias import LevenbergMarquardt, fit_function, fit_system, sweep
from rnnbias.evaluation import local_client
from rnnbias.evaluation.engine import outcomes
from systems.labels import config

GRID = {"seed": [0, 1], "units": [10, 20, 30]}
quiet = partial(sweep, progress=False)


def area(seed, units):
    return {"area": float(units * seed), "word": f"{seed} of {units}"}


def learned(seed, units=20):
    """The score of a fit, and all that it learned."""
    fit = fit_function("runge", units=units, samples=100, seed=seed, progress=False)
    return fit.score("runge").assign(bias=fit.to_dataset().unit_bias)


@pytest.fixture(scope="module")
def client():
    cloudpickle = pytest.importorskip("cloudpickle", reason="pip install 'rnnbias[dask]'")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find the tests
    with local_client(2) as client:
        yield client


def test_results_lie_over_the_grid():
    found = quiet(area, GRID)
    assert found.area.dims == ("seed", "units") and found.units.values.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(found.area, np.outer([0, 1], [10, 20, 30]))
    assert found.word.sel(seed=1, units=20).item() == "1 of 20"
    assert (found.failure == "").all() and config(found)["grid"] == GRID
    assert xr.load_dataset(found.to_netcdf()).area.equals(found.area)


def test_values_are_plain_numbers_and_words():
    seen = []
    grid = {"rate": [0, 0.5], "count": np.arange(2), "name": ["a", "b"], "flag": [True, False]}
    quiet(lambda **point: seen.append(point) or {"one": 1}, grid)
    assert seen[0] == {"rate": 0.0, "count": 0, "name": "a", "flag": True}
    assert {tuple(map(type, point.values())) for point in seen} == {(float, int, str, bool)}


def test_a_dimension_of_its_own_comes_last_and_is_filled():
    def trace(seed):
        return xr.Dataset({"loss": ("step", np.arange(seed + 1.0))}, {"kind": "linear"})

    found = quiet(trace, {"seed": [0, 2]})
    np.testing.assert_array_equal(found.loss, [[0, np.nan, np.nan], [0, 1, 2]])
    assert found.kind.values.tolist() == ["linear", "linear"]


def test_a_failed_point_is_nan_with_its_message():
    def picky(seed, units):
        if units == 20:
            raise RuntimeError(f"no fit\nfor seed {seed}")
        return area(seed, units)

    found = quiet(picky, GRID)
    assert np.isnan(found.area.sel(units=20)).all() and np.isfinite(found.area.sel(units=[10, 30])).all()
    assert found.failure.sel(units=20).values.tolist() == [
        "RuntimeError: no fit for seed 0",
        "RuntimeError: no fit for seed 1",
    ]
    assert (found.failure.sel(units=[10, 30]) == "").all() and found.word.sel(seed=0, units=20) == ""


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (3.0, "TypeError: function must return a Dataset or a dict, got float"),
        ({"seed": 1}, "ValueError: function must leave the name 'seed' to the sweep"),
        ({"failure": 1}, "ValueError: function must leave the name 'failure' to the sweep"),
        ({"root": 1j}, "TypeError: function must return real numbers and words, got 'root' of dtype complex128"),
    ],
)
def test_what_cannot_be_laid_out_fails(result, message):
    assert quiet(lambda seed: result, {"seed": [0]}).failure.item() == message


def counted(folder, seed, units):
    """An area; every call leaves a file, and unit 30 of seed 1 needs a file "ready"."""
    (folder / f"call-{seed}-{units}-{time.time_ns()}").touch()
    if (seed, units) == (1, 30) and not (folder / "ready").exists():
        raise RuntimeError("not ready")
    return area(seed, units)


def calls(folder):
    return sorted("-".join(path.name.split("-")[1:3]) for path in folder.glob("call-*"))


def test_a_sweep_goes_on_from_its_store(tmp_path):
    function = partial(counted, tmp_path)
    first = quiet(function, GRID, store=tmp_path / "store")
    assert len(calls(tmp_path)) == 6 and first.failure.sel(seed=1, units=30) == "RuntimeError: not ready"
    (tmp_path / "ready").touch()
    second = quiet(function, GRID, store=tmp_path / "store")
    assert len(calls(tmp_path)) == 7 and np.isfinite(second.area).all()  # what failed is tried again
    more = quiet(function, GRID | {"seed": [0, 1, 2]}, store=tmp_path / "store")
    assert calls(tmp_path)[-3:] == ["2-10", "2-20", "2-30"] and len(calls(tmp_path)) == 10
    xr.testing.assert_equal(more.sel(seed=[0, 1]), second)


@pytest.mark.parametrize(
    ("function", "grid", "message"),
    [
        (area, GRID | {"units": [10, 20]}, r"store must hold points of this grid alone, got .*0--30.nc"),
        (area, GRID | {"units": [10.0, 20.0, 30.0]}, r"store must hold points of this grid alone"),
        (lambda seed, units: {"area": 1.0}, GRID, r"function area \(code .*\), now .*<lambda> \(code"),
        (partial(area), GRID, r"other settings \(function area .*, now area \(code .*\)\(\)"),
    ],
)
def test_another_sweep_is_refused(tmp_path, function, grid, message):
    quiet(area, GRID, store=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=message):
        quiet(function, grid, store=tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_other_parameters_are_refused_by_name(tmp_path):
    quiet(lambda **point: {"one": 1}, {"seed": [0]}, store=tmp_path)
    with pytest.raises(ValueError, match=r"seed 0, now None; trial None, now 0"):
        quiet(lambda **point: {"one": 1}, {"trial": [0]}, store=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((area, {}), ValueError, "grid must have a parameter, got none"),
        ((area, [("seed", [0])]), TypeError, "grid must be a dict"),
        ((area, GRID | {"seed": []}), ValueError, r"grid\['seed'\] must have a value, got none"),
        ((area, GRID | {"seed": 3}), TypeError, r"grid\['seed'\] must be a list of values, got 3"),
        ((area, GRID | {"seed": "abc"}), TypeError, r"grid\['seed'\] must be a list of values, got 'abc'"),
        ((area, GRID | {"seed": [0, 0.0]}), ValueError, r"grid\['seed'\] must have each value once, got 0.0 again"),
        ((area, GRID | {"seed": [[0], [1]]}), TypeError, r"a value of grid\['seed'\] must be a number, got \[0\]"),
        ((area, GRID | {"seed": [0, "a"]}), TypeError, r"a value of grid\['seed'\] must be a number, got 'a'"),
        ((area, GRID | {"seed": [0, np.nan]}), ValueError, r"a value of grid\['seed'\] must be finite"),
        ((area, {"seed": [0], "unit": [10]}), ValueError, "a parameter of grid must be .* did you mean 'units'?"),
        ((area, {"seed": [0]}), TypeError, "function must need no parameter but those of grid: .*'units'"),
        ((3, GRID), TypeError, "function must be callable, got 3"),
        ((area, GRID, "tcp://127.0.0.1:8786"), TypeError, "client must be a dask.distributed.Client, got 'tcp:"),
    ],
)
def test_bad_input_is_refused_before_any_work(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        quiet(*arguments, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_ctrl_c_ends_the_sweep_though_a_fit_ends_in_order(tmp_path):
    def interrupted(seed):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT) if seed else None
        return {"seed_seen": seed}

    had = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            quiet(interrupted, {"seed": [0, 1, 2]}, store=tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, had)
    assert [path.name for path in tmp_path.glob("*.nc")] == ["0.nc"]


def test_a_sweep_leaves_the_threads_as_they_were():
    had = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert quiet(lambda seed: {"threads": torch.get_num_threads()}, {"seed": [0]}).threads.item() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(had)


def test_a_sweep_on_workers_has_the_same_bits(client):
    grid = {"seed": [0, 1, 2], "units": [20, 30]}
    there, here = quiet(learned, grid, client), quiet(learned, grid)
    xr.testing.assert_identical(there, here)
    assert np.isfinite(here.nrmse).all() and (here.failure == "").all()


def test_failures_on_workers_are_told(client):
    found = quiet(lambda seed: {"inverse": 1 / seed}, {"seed": [0, 2]}, client)
    assert found.failure.values.tolist() == ["ZeroDivisionError: division by zero", ""]
    np.testing.assert_array_equal(found.inverse, [np.nan, 0.5])


def test_what_cannot_be_sent_is_refused(client):
    lock = threading.Lock()
    with pytest.raises(TypeError, match=r"function must be one that can be sent to workers: .*lock"):
        quiet(lambda seed: {"locked": lock.locked()}, {"seed": [0]}, client)


def test_workers_have_one_thread_whatever_they_were_started_with(client):
    def threads(seed):
        return {"torch": torch.get_num_threads(), "blas": max(each["num_threads"] for each in threadpool_info())}

    client.run(torch.set_num_threads, 2)
    found = quiet(threads, {"seed": range(4)}, client)
    assert (found.torch == 1).all() and (found.blas == 1).all()


def test_a_lost_cluster_ends_the_sweep(client):
    calls = outcomes(lambda seconds: time.sleep(seconds) or seconds, [0.0, 5.0], client)
    assert next(calls) == (0.0, 0.0)
    from distributed import Future

    client.cancel([Future(key, client) for key in client.futures], force=True)
    with pytest.raises(ConnectionError, match="lost its scheduler"):
        next(calls)


def deadly(folder, seed):
    """Kills its worker where it is called for seed 1 the first time."""
    with contextlib.suppress(FileExistsError):
        if seed == 1:
            (folder / "killed").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
    return learned(seed)


def test_a_sweep_survives_a_killed_worker(client, tmp_path):
    killed = quiet(partial(deadly, tmp_path), {"seed": range(4)}, client)
    assert (tmp_path / "killed").exists() and (killed.failure == "").all()
    xr.testing.assert_equal(killed, quiet(learned, {"seed": range(4)}))


@cache
def lorenz():
    return systems.get("lorenz63").simulate(duration=20.0, seed=7)


def forecasts(seed, units, folder=None):
    """A small fit, its score and its biases; in a folder, a file is left for every call, and the tenth kills itself."""
    if folder is not None:
        (folder / f"call-{seed}-{units}-{time.time_ns()}").touch()
        if len(list(folder.glob("call-*"))) == 10:
            os.kill(os.getpid(), signal.SIGKILL)
    data = lorenz().isel(time=slice(0, 600))
    solver = LevenbergMarquardt(iterations=10)
    fit = fit_system(data, units=units, seed=seed, closed_loop=(), solver=solver, progress=False)
    score = fit.score(lorenz().isel(time=slice(600, None)), windows=4, context=20, steps=100)
    return score.assign(bias=fit.to_dataset().unit_bias)


CLIENT = """
import sys
from functools import cache, partial
from pathlib import Path

import test_sweep
from rnnbias import sweep
from rnnbias.evaluation import local_client

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with local_client(2) as client:
        function = partial(test_sweep.forecasts, folder=folder)
        found = sweep(function, test_sweep.SIXTY_FOUR, client, store=folder / "store", progress=False)
    found.to_netcdf(folder / "found.nc")
"""
SIXTY_FOUR = {"seed": range(16), "units": [12, 18, 24, 30]}


@pytest.mark.slow
def test_64_fits_outlive_a_worker_and_their_client_with_the_same_bits(tmp_path):
    pytest.importorskip("distributed", reason="pip install 'rnnbias[dask]'")
    script, store = tmp_path / "client.py", tmp_path / "store"
    script.write_text(CLIENT)
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])

    def start():
        return subprocess.Popen([sys.executable, script, tmp_path], env={**os.environ, "PYTHONPATH": path})

    def count(folder, pattern):
        return len(list(folder.glob(pattern)))

    client = start()
    while count(store, "*.nc") < 20:  # long after one of the workers was killed
        assert client.poll() is None
        time.sleep(0.05)
    client.kill()
    client.wait()
    done = count(store, "*.nc")
    assert 20 <= done < 64
    time.sleep(10)  # until its workers have noticed
    calls = count(tmp_path, "call-*")
    assert done < calls <= done + 5  # one that was killed; at most two at work and two that were not stored yet
    assert start().wait() == 0 and count(tmp_path, "call-*") - calls == 64 - done
    found, alone = xr.load_dataset(tmp_path / "found.nc"), quiet(forecasts, SIXTY_FOUR)
    assert (found.failure == "").all() and np.isfinite(found.valid_time).all()
    xr.testing.assert_equal(found, alone)
