"""Every notebook runs, with the numbers in its cell tagged "parameters" made small."""

import ast
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
SMALL = {
    "1_first_forecast": {"WINDOWS": 2, "STEPS": 100},
    "2_your_own_data": {"UNITS": 4},
    "3_one_matrix_several_dynamics": {"STEPS": 200, "POINTS": 3, "ALONG": 60},
    "4_reaching_and_adaptation": {"UNSEEN": 4},
    "5_inside_the_network": {"STEPS": 20, "DURATION": 4.0, "LONG": 1000, "STARTS": 4, "TRIALS": 2},
    "6_bring_your_own_connectome": {"TRIALS": 1, "SAMPLES": 10, "NEXT": 2},
}
#: Those that take longer than ten seconds.
SLOW = ("3_one_matrix_several_dynamics", "5_inside_the_network")


def cells(name, kind=None):
    found = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def small(name, cell):
    """The source of a cell; in the tagged one the numbers are replaced."""
    source = "".join(cell["source"])
    if "parameters" in cell["metadata"].get("tags", ()):
        for key, value in SMALL[name].items():
            source, count = re.subn(rf"(?m)^{key} = [^#\n]*", f"{key} = {value}  ", source)
            assert count == 1
    return source


def run(source, names):
    """Run a cell; what its last line evaluates to is shown as a notebook would show it."""
    *body, last = ast.parse(source).body
    shown = isinstance(last, ast.Expr)
    exec(compile(ast.Module(body if shown else [*body, last], []), "cell", "exec"), names)
    if shown:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        getattr(value, "_repr_html_", value.__repr__)()


def test_there_is_no_other_notebook():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_it_is_a_lesson_that_ends_in_figures(name):
    first = cells(name)[0]
    assert first["cell_type"] == "markdown" and first["source"][0].startswith("# ")
    assert len(cells(name, "markdown")) >= 5
    outputs = [output for cell in cells(name, "code") for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert not any(output["output_type"] == "error" for output in outputs)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in SMALL])
def test_it_runs(name, monkeypatch):
    monkeypatch.chdir(FOLDER)
    module = ModuleType(f"notebook_{name}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for number, cell in enumerate(cells(name, "code"), 1):
        try:
            run(small(name, cell), module.__dict__)
        except Exception as error:
            error.add_note(f"in code cell {number} of {name}")
            raise
    plt.close("all")
