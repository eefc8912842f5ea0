import numpy as np
import pytest
import xarray as xr

import inside
from inner import analyses
from inner.analyses import ANALYSES, Lorenz, Size
from rnnbias import LevenbergMarquardt, load

TINY = Size(
    units=60, samples=500, trials=4, duration=1.0, runs=2, run_samples=700, starts=4, moments=2, mixtures=3,
    mixture_steps=20, tested=2,
)  # fmt: skip

BRIEF = LevenbergMarquardt(iterations=10)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, short_transients):
    """One run of everything, in miniature."""
    out, fit = tmp_path_factory.mktemp("inside"), analyses.fit_system
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Size, "quick", classmethod(lambda cls: TINY))
        patch.setattr(analyses, "SETTLE", 100)
        patch.setattr(analyses, "fit_system", lambda *data, **how: fit(*data, **how, solver=BRIEF))
        assert inside.main(["--quick", "--out", str(out)]) == 0
    return out


def test_a_run_leaves_tables_labelled_files_and_figures(whole):
    text = (whole / "inside.md").read_text()
    assert "python benchmarks/inside.py --quick" in text and "60 learned numbers" in text
    assert all(f"| {name} " in text for name in ("truth", "network", "0", "C+", "C-"))
    for name in ANALYSES:
        ds = xr.load_dataset(whole / f"{name}.nc", engine="h5netcdf")
        assert all(variable.attrs["long_name"] for variable in ds.data_vars.values()), name
    figures = {path.stem for path in whole.glob("*.png")}
    assert figures == {*ANALYSES, "convergence", "learning"} - {"distances", "robustness"}
    assert load(whole / "fit.nc").network.units == 60


def test_the_true_fixed_points_do_not_move_and_leave_at_the_known_rates():
    lorenz = Lorenz(TINY, 0)
    for point in lorenz.fixed.position.values:
        end = lorenz.system.solve(point[None], [0.0, 0.02])[0, -1]
        np.testing.assert_allclose(end, point, atol=1e-9)
    growth = np.log(lorenz.fixed.eigenvalue.values) / lorenz.system.dt
    np.testing.assert_allclose(growth[0].real, [11.8277, -8 / 3, -22.8277], atol=1e-4)
    np.testing.assert_allclose(growth[1].real, [0.0940, 0.0940, -13.8546], atol=1e-4)
    np.testing.assert_allclose(np.abs(growth[1].imag[:2]), 10.1945, atol=1e-4)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("--units must be at least 2", ["--units", "1"]),
        ("--samples must be at least 200", ["--samples", "10"]),
        ("--seed must be at least 0", ["--seed", "-1"]),
        ("unrecognized arguments: --unit", ["--unit", "3"]),
    ],
)
def test_wrong_arguments_end_in_one_line(tmp_path, capsys, message, arguments):
    with pytest.raises(SystemExit) as stop:
        inside.main([*arguments, "--out", str(tmp_path)])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and message in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
