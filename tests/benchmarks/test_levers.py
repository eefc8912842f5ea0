import pytest

import levers
from rnnbias import LevenbergMarquardt, Recipe

pytestmark = pytest.mark.usefixtures("short_transients")


def test_each_lever_moves_one_thing_and_is_a_line_of_the_table(tmp_path, monkeypatch):
    seen = []
    real = levers.fit_system

    def fit_system(data, **options):
        seen.append(options)
        assert len(list((tmp_path / "rows").iterdir())) == len(seen) - 1  # a killed run leaves what it measured
        return real(data, **{"solver": LevenbergMarquardt(iterations=1), **options})

    monkeypatch.setattr(levers, "_REACH", 2.0)
    monkeypatch.setattr(levers, "fit_system", fit_system)
    arguments = ["--units", "20", "--samples", "300", "--windows", "2", "--out", str(tmp_path)]
    assert levers.main([*arguments, "--only", "the defaults", "recurrent gain 0.9"]) == 0
    assert [options["recipe"] for options in seen] == [Recipe.shaping(), Recipe.shaping(gain=0.9)]
    rows = [line.split("|")[1:3] for line in (tmp_path / "levers.md").read_text().splitlines() if line[:1] == "|"]
    assert [[cell.strip() for cell in row] for row in rows[2:]] == [
        ["the defaults", "20"],
        ["recurrent gain 0.9", "20"],
    ]


def test_all_levers_are_possible_and_differ_from_the_first():
    moves = levers.levers(20)
    assert moves.pop("the defaults") == {} and all(moves.values())
    assert len({repr(move) for move in moves.values()}) == len(moves)


def test_the_profile_counts_the_products_of_the_jacobian():
    parts = dict(row[:2] for row in levers.profile(40, 400, 0.5))
    assert float(parts["… its products"]) <= float(parts["Jacobian"]) + 0.05
    assert {"forward pass", "QR factorisation", "singular values"} < set(parts)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("--units must be even", ["--units", "9"]),
        ("--samples must be at least 300", ["--samples", "3"]),
        ("did you mean 'the defaults'?", ["--only", "the default"]),
    ],
)
def test_wrong_arguments_end_in_one_line(tmp_path, monkeypatch, capsys, message, arguments):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        levers.main(arguments)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and message in said and said.count("\n") == 1 and not list(tmp_path.iterdir())
