"""What the site makes of a docstring; skipped where the tools of the documentation are not installed."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("griffe")
SOURCE = Path(__file__).parents[2] / "docs" / "docstrings.py"


@pytest.fixture(scope="module")
def markdown():
    spec = importlib.util.spec_from_file_location("docstrings", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.markdown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":math:`x` of :func:`norm`.", "$x$ of `norm`."),
        ("A.\n\n.. math:: a \\\\\n    b", "A.\n\n$$\na \\\\ b\n$$"),
        (".. math::\n\n    a", "$$\na\n$$"),
        ("A.\n\none   the first\ntwo   the second", "A.\n\n```text\none   the first\ntwo   the second\n```"),
        ("A.\n\n>>> 1\n1", "A.\n\nExamples\n--------\n>>> 1\n1"),
        ("A.\n\nExamples\n--------\n>>> 1\n1\n\n>>> 2\n2", "A.\n\nExamples\n--------\n>>> 1\n1\n\n>>> 2\n2"),
        (
            "A.\n\nParameters\n----------\nx : int\n    One.\n\nRaises ValueError.\n\n>>> 1\n1",
            "A.\n\nRaises ValueError.\n\nParameters\n----------\nx : int\n    One.\n\nExamples\n--------\n>>> 1\n1",
        ),
        ("A.\n\nReturns\n-------\nAll of\nit.", "A.\n\nReturns\n-------\nobject\n    All of\n    it."),
        ("A.\n\nReturns\n-------\nint\n    One.", "A.\n\nReturns\n-------\nint\n    One."),
        ("A.\n\nReturns\n-------\nFit", "A.\n\nReturns\n-------\nFit"),
    ],
)
def test_it_becomes_strict_numpydoc(markdown, text, expected):
    assert markdown(text) == expected
