import gzip
import re
import struct
from dataclasses import replace

import numpy as np
import pytest

import classify
from pictures import speed
from pictures.experiments import Protocol, default_tasks, load, planned
from pictures.learners import LEARNERS, LEVERS
from pictures.report import gathered
from pictures.rows import Key
from rnnbias.storage import read_netcdf
from systems import images, labels

pytestmark = pytest.mark.filterwarnings("ignore:no bias silences")

TINY = replace(
    Protocol.quick(), widths=(20,), best_units=30, lever_units=20, mask_units=40, task_units=100, train=120, test=40,
    script_train=60, script_test=30,
)  # fmt: skip


TASKS = ("nko", "lao", "roman", "latin")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(Protocol, "quick", classmethod(lambda cls: TINY))
    monkeypatch.delenv(images.FOLDER, raising=False)


def run(out, *arguments):
    return classify.main(["--quick", "--out", str(out), *arguments])


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Every experiment, without any data folder: what it leaves, and its rows."""
    out, parse, parsed = tmp_path_factory.mktemp("whole"), classify.parse, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Protocol, "quick", classmethod(lambda cls: TINY))
        patch.delenv(images.FOLDER, raising=False)
        patch.setattr(classify, "parse", lambda argv: parsed.append(parse(argv)) or parsed[0])
        assert run(out, "--seeds", "2", "--tasks", *TASKS) == 0
    return out, parsed[0][0].runs


@pytest.fixture
def whole(everything):
    return everything[0]


@pytest.fixture
def rows(everything):
    return everything[1]


def test_a_run_leaves_labelled_rows_tables_and_figures(whole):
    ds = read_netcdf(whole / "classify.nc")
    assert set(ds.experiment.values) == {"width", "levers", "best", "mask", "tasks"}
    assert ds.accuracy.attrs["units"] == "1" and labels.config(ds)["seed"] == [0, 1]
    tested = ds.experiment != "levers"
    assert ds.accuracy[tested].notnull().all() and ds.accuracy[~tested].isnull().all()
    assert ds.held_out_accuracy.notnull().all()
    text = (whole / "classify.md").read_text()
    for title in (
        "How robust learned biases are",
        "Accuracy against width",
        "What each choice gives",
        "The best",
        "masks",
        "Several tasks",
        "Time of an",
    ):
        assert title in text
    assert "NOT the same" not in text and "the same both times" in text
    assert all(f"`{name}`: {LEARNERS[name].about}" in text for name in ("bias", "full", "readout", "mask-annealed"))
    for figure in ("width.png", "mask.png", "tasks-bias.png"):
        assert (whole / figure).stat().st_size > 5000


def test_the_counts_of_learned_numbers_are_those_of_the_parts(rows):
    wanted = {"bias": 100, "bias-uniform": 100, "readout": 1000, "full": 28 * 28 * 100 + 100 + 1000}
    for name, count in wanted.items():
        assert int(rows[Key("tasks", "nko", name, 100, 0)].learned) == count
    assert int(rows[Key("levers", "digits", "push-pull", 20, 0)].learned) == 10


def test_accuracies_in_the_bank_are_those_of_the_rows(whole, rows):
    bank = read_netcdf(whole / "bank.nc")
    for task in bank.task.values:
        of_row = float(rows[Key("tasks", str(task), "bias", 100, 0)].accuracy)
        np.testing.assert_allclose(bank.accuracy.sel(task=task), of_row, atol=1e-6)
    assert bank.bias.dims == ("task", "unit") and list(bank.task.values) == list(TASKS)


def test_all_tasks_of_a_learner_have_the_same_frozen_weights(rows):
    mine = [row for key, row in rows.items() if key.experiment == "tasks" and key.learner == "bias"]
    assert len(mine) == len(TASKS) and len({row.attrs["recipe"] for row in mine}) == 1


def files(out):
    return {path.name: path.read_bytes() for path in (out / "rows").iterdir()}


def test_what_is_finished_is_kept_and_the_rest_is_made(tmp_path, monkeypatch):
    assert run(tmp_path, "--experiments", "best") == 0
    before = files(tmp_path)
    make, made = classify.make_row, []
    monkeypatch.setattr(classify, "make_row", lambda key, *more: made.append(key) or make(key, *more))
    assert run(tmp_path, "--experiments", "best", "mask", "--resume") == 0
    assert {key.experiment for key in made} == {"mask"} and before.items() < files(tmp_path).items()
    assert run(tmp_path, "--experiments", "best") == 0
    assert files(tmp_path).keys() >= before.keys()  # what another run left is not removed


def test_rows_of_other_settings_are_not_mixed_in(tmp_path, monkeypatch, capsys):
    assert run(tmp_path, "--experiments", "best") == 0
    monkeypatch.setattr(Protocol, "quick", classmethod(lambda cls: replace(TINY, train=100)))
    with pytest.raises(SystemExit) as stop:
        run(tmp_path, "--experiments", "best", "--resume")
    assert stop.value.code == 2 and "other settings (train 120, now 100)" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_finished(tmp_path, monkeypatch):
    make = classify.make_row

    def interrupted(key, *more):
        if key.learner == "independent-calm":
            raise KeyboardInterrupt
        return make(key, *more)

    monkeypatch.setattr(classify, "make_row", interrupted)
    assert run(tmp_path, "--experiments", "levers") == 130
    assert len(files(tmp_path)) == list(LEVERS).index("independent-calm")
    assert "| usual " in (tmp_path / "classify.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--experiments", "widht"], "--experiments must be one of .* did you mean 'width'"),
        (["--widths", "7"], "--widths must be even"),
        (["--widths", "0"], "--widths must be at least 2"),
        (["--seeds", "0"], "--seeds must be at least 1"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--tasks", "klingon"], "--tasks must be one of"),
        (["--data", "/nowhere"], "data must name a folder that exists, got '/nowhere'"),
    ],
)
def test_wrong_arguments_end_with_one_line_and_code_2(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        run(tmp_path / "out", *arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1

    assert re.search(message, error)


def folder(path, count=30):
    path.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for prefix in ("train", "t10k"):
        for kind, ndim, values in (
            ("images", 3, rng.integers(0, 256, (count, 28, 28))),
            ("labels", 1, np.arange(count) % 10),
        ):
            head = bytes((0, 0, 8, ndim)) + struct.pack(f">{ndim}I", *values.shape)
            content = gzip.compress(head + values.astype(np.uint8).tobytes())
            (path / f"{prefix}-{kind}-idx{ndim}-ubyte.gz").write_bytes(content)


def test_folders_are_taken_before_what_is_built_in(tmp_path):
    for name in ("mnist", "fashion-mnist"):
        folder(tmp_path / name)
    available = images.available(tmp_path)
    keys = [key for key, _ in planned(("width", "best", "mask"), TINY, 1, available, None)]
    assert {key.data for key in keys if key.experiment == "width"} == {"fashion-mnist"}
    assert {key.data for key in keys if key.experiment == "best"} == {"fashion-mnist", "mnist"}
    assert default_tasks(available)[:2] == ["mnist", "fashion-mnist"] and len(default_tasks(available)) == 7
    assert len(load("mnist", tmp_path, TINY).train) == 30


def test_every_learner_of_the_sweep_has_every_width_and_seed():
    keys = {key for key, _ in planned(("width",), Protocol(), 3, ["fashion-mnist"], None)}
    assert len(keys) == 6 * 5 * 3 and Key("width", "fashion-mnist", "full", 10000, 2) in keys


def test_speed_measures_every_way():
    data = images.get("digits").first(60, 10)
    found = speed.measure(data, 20, 2, progress=False)
    assert found.seconds.shape == (6, 2) and (found.seconds > 0).all()
    assert list(found.way.values)[:2] == ["full", "full-bf16"]


def test_rows_gathered_say_which_they_are(rows):
    ds = gathered(rows, TINY.counts)
    again = {tuple(str(ds[name].values[k]) for name in Key._fields) for k in range(ds.sizes["row"])}
    assert again == {tuple(map(str, key)) for key in rows}
