"""Every Python block of the documentation runs as it is written, those of one file one after another."""

import re
import sys
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import pytest

from rnnbias import Fit
from rnnbias.solvers import Solver

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SLOW = {"README.md", "docs/calls.md"}  # the one learns at the sizes that a reader would use, the other calls everything


def blocks(path):
    """Line number and source of each block."""
    text = path.read_text(encoding="utf-8")
    return [(text.count("\n", 0, found.start(1)), found[1]) for found in BLOCK.finditer(text)]


PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if blocks(path)
}


@pytest.mark.parametrize("page", [pytest.param(p, marks=[pytest.mark.slow] if p in SLOW else []) for p in PAGES])
def test_it_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for registry, name in ((Solver, "known"), (Fit, "kinds")):  # examples define kinds of their own
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    plt.switch_backend("Agg")
    for line, source in blocks(PAGES[page]):
        exec(compile("\n" * line + source, str(PAGES[page]), "exec"), module.__dict__)
    plt.close("all")
