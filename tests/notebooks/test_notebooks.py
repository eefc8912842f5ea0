"""Every notebook runs, with the numbers in its cell tagged "parameters" made small."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
SMALL = {
    "1_first_forecast": {"WINDOWS": 4, "STEPS": 100},
    "2_your_own_data": {"UNITS": 4},
    "3_one_matrix_several_dynamics": {"STEPS": 200, "POINTS": 3},
    "4_reaching_and_adaptation": {"UNSEEN": 4},
    "5_inside_the_network": {"STEPS": 20, "STARTS": 4},
}


def notebook(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def test_there_is_no_other_notebook():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_it_is_a_lesson_that_ends_in_figures(name):
    cells = notebook(name).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    assert sum(cell.cell_type == "markdown" for cell in cells) >= 5
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert not any(output.output_type == "error" for output in outputs)


@pytest.mark.parametrize("name", SMALL)
def test_it_runs(name):
    found = notebook(name)
    (cell,) = (cell for cell in found.cells if "parameters" in cell.metadata.get("tags", ()))
    for key, value in SMALL[name].items():
        cell.source, count = re.subn(rf"(?m)^{key} = [^#\n]*", f"{key} = {value}  ", cell.source)
        assert count == 1
    NotebookClient(found, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()
