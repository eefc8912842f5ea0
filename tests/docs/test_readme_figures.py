"""Every figure in the tables "What it reaches", README's and that of all reports, stands in a report its row links to.

A figure is a number written in digits, or a count such as "8 of 10"; one that is part of a name (Lorenz-63, float32) is
none. It stands in a report that says it with as many digits, or says a number of which it is a rounding; a sign that
README writes must be that of the report. What was reached stands in the text, or in a table's line with a cell of as
many learned numbers where there is one. Commands, settings and versions support nothing.
"""

import re
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[([^]]*)\]\(([^)]*)\)")
PAGE = re.compile(r"\]\(([^()#:]+\.md)")
NUMBER = r"(?<![\w.])(?<![A-Za-z]-)(?:(?<!\w)[-−+])?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?"
FIGURE = re.compile(rf"{NUMBER} of \d+|{NUMBER}")
WHOLE = re.compile(NUMBER).fullmatch
COMMAND = r"^(?: {4}|`?python ).*"
PROVENANCE = r"\d{4}-\d\d-\d\d|\d+(?:\.\d+){2,}\S*|\b\d+ (?:cores?|threads?|process)\b"
SETTING = r"\w=\(*-?[\d.]+"
NO_RESULT = re.compile(f"{COMMAND}|{PROVENANCE}|{SETTING}", re.MULTILINE)


def figures(text):
    """The figures of a text as they are written, without where its links lead."""
    return FIGURE.findall(LINK.sub(r"\1", text))


def number(figure):
    """A figure as a number that remembers its digits."""
    return Decimal(figure.replace(",", "").replace("−", "-"))


def rounds(figure, found):
    """Whether a figure is a number that was found, or a rounding of it."""
    wanted, precise = number(figure), number(found)
    if figure[0] not in "-−+":
        precise = abs(precise)
    last = wanted.as_tuple().exponent
    return precise.as_tuple().exponent <= last and abs(wanted - precise) <= Decimal(1).scaleb(last) / 2


def stands(figure, text):
    """Whether a figure stands in a text."""
    found = figures(text)
    if " of " in figure:
        return figure in found
    return any(rounds(figure, each) for one in found for each in one.split(" of "))


def results(report, learned=()):
    """The lines of a report that hold results; of its tables those of a named count of learned numbers, if any."""
    lines = NO_RESULT.sub("", report).splitlines()
    table = [line for line in lines if line.startswith("|")]
    named = {*map(number, learned)}
    counted = [line for line in table if named & {*map(number, filter(WHOLE, map(str.strip, line.split("|"))))}]
    return "\n".join([line for line in lines if not line.startswith("|")] + (counted or table))


def rows(readme):
    """The rows of the table, each as its cells: question, learned numbers, what is reached, what stands beside it."""
    section = readme.split("# What it reaches\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def missing(cells, folder, root=ROOT):
    """The figures of a row, of a table in a folder, that stand in none of the reports it links to."""
    question, learned, reached, beside = cells
    pages = [folder / path for path in PAGE.findall(" ".join(cells))]
    reports = [page.read_text(encoding="utf-8") for page in pages if root / "benchmarks" / "report" in page.parents]
    assert reports, f"no report is linked: {question}"

    def absent(text, counts=()):
        held = [results(report, counts) for report in reports]
        return [figure for figure in figures(text) if not any(stands(figure, each) for each in held)]

    return absent(question) + absent(learned) + absent(reached, figures(learned)) + absent(beside)


TABLES = [
    pytest.param(cells, folder, id=LINK.sub(r"\1", cells[0]))
    for folder in (ROOT, ROOT / "benchmarks" / "report")
    for cells in rows((folder / "README.md").read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("cells", "folder"), TABLES)
def test_figures_of_a_readme_stand_in_the_reports_it_links_to(cells, folder):
    assert missing(cells, folder) == []


# The checker itself ---------------------------------------------------------------------------------------------


REPORTED = """# Made up

    python benchmarks/made_up.py --seeds 77

Made on 2026-11-28, on 55 cores, torch 2.13.0+cpu; PointMass(mass=66.0). Over 360 targets, in mm.

| learner | learned | reached | error            |    loss | after-effect |
| :------ | ------: | ------: | ---------------: | ------: | -----------: |
| bias    |    1503 | 8 of 10 | 4.19 [3.73, 4.4] | 1.6e-05 |        -29.7 |
| bias-2  |     300 | 5 of 10 | 6.25–7.35        | 3.0e-01 |          9.7 |

At a gain of 1.25 they agree to 56%.

| gain | swing |
| ---: | ----: |
| 1.45 |  8.55 |
"""
UP = "[table](benchmarks/report/made/up.md)"


@pytest.fixture
def table(tmp_path):
    """A README of one row, made of three of its cells."""
    report = tmp_path / "benchmarks" / "report" / "made" / "up.md"
    report.parent.mkdir(parents=True)
    report.write_text(REPORTED, encoding="utf-8")

    def row(reached, learned="1,503", beside="", link=UP):
        head = "# A\n\n| 1 | 2 |\n| --- | --- |\n| 99 | [b](c.md) |\n\n## What it reaches\n\nBy biases 98.\n\n"
        head += "| question | learned numbers | reached | beside it |\n| --- | ---: | --- | --- |\n"
        readme = f"{head}| Lorenz-63 ({link}) | {learned} | {reached} | {beside} |\n\nAs 97.\n\n## Why\n\n| 96 |\n"
        (cells,) = rows(readme)
        return missing(cells, tmp_path, tmp_path)

    return row


@pytest.mark.parametrize(
    "right",
    ["4.19", "4.2", "4", "3.7 to 4.4", "8 of 10 seeds", "1.6e-5, 2e-05", "0.00002", "-29.7", "−30", "30",
     "360 targets of 1,503", "56 %", "float32 of MNIST-96, R² 4.2x", "1.3", "1.2", "[4.2](96.md)"],
)  # fmt: skip
def test_a_right_figure_is_found(table, right):
    assert table(right) == []


@pytest.mark.parametrize(
    "wrong",
    ["4.1", "4.3", "4.190", "4.40", "5", "7 of 10", "8 of 11", "10 of 10", "1.5e-5", "1e-5", "+29.7", "-4.2", "1,504",
     "1.4", "77", "55", "66", "2026", "28", "2.13", "9.7", "6.3", "300", "5 of 10", "8.55"],
)  # fmt: skip
def test_a_wrong_figure_is_missed(table, wrong):
    assert table(f"of 1,503: 4.2, {wrong} mm") == [wrong]


def test_every_cell_is_read_and_no_other_table(table):
    assert table("4.2", learned="1,502", beside="9.7 and 9.8", link=f"47 {UP}") == ["47", "1,502", "9.8"]


def test_other_learners_stand_beside(table):
    assert table("4.2", beside="6.3 to 7.4, 5 of 10, 8.6") == []
    assert table("4.2 and 6.3", learned="1,503 or 300") == []
    assert table("8.6", learned="") == []


def test_a_row_without_a_report_is_refused(table):
    with pytest.raises(AssertionError, match="no report is linked: Lorenz-63"):
        table("4.2", link="[table](benchmarks/made/up.md)")
    with pytest.raises(FileNotFoundError):
        table("4.2", link="[table](benchmarks/report/made/down.md)")
