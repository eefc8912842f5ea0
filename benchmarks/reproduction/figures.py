"""What a figure of the paper is here: an experiment, the paper's setting beside ours, and claims that are judged."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

import columns
from experiments import Experiment
from rnnbias.evaluation import Runs
from tables import aligned

__all__ = ["RULE", "Claim", "Figure", "above", "greater", "known", "section", "spread", "summary"]

RULE = (
    "Every claim is turned into a question that each run answers by its numbers: yes, no, or the opposite. A claim is "
    "*reproduced* where all runs say yes, *contradicted* where all say the opposite, *partly* reproduced where more "
    "say yes than the opposite, and otherwise *not* reproduced. A figure is reproduced where all its claims are, "
    "contradicted where all are, partly reproduced where any is at least partly, and otherwise not."
)


class Claim(NamedTuple):
    """What the paper says, how well that is known, what each run was asked, what was found, and the answers: 1 yes, 0
    no, -1 the opposite.
    """

    says: str
    source: str
    asked: str
    found: str
    answers: Sequence[float]

    @property
    def verdict(self) -> str:
        """See `RULE`."""
        answers = np.asarray(self.answers)
        if not len(answers):
            return "not run"
        if (answers == 1).all():
            return "reproduced"
        if (answers == -1).all():
            return "contradicted"
        return "partly" if answers.sum() > 0 else "not"


@dataclass(frozen=True, kw_only=True)
class Figure(Experiment):
    """A figure of the paper: its title, what was set (what, in the paper, here), claims judged by the numbers, and what
    `skill` is where the robustness of learned biases was measured.
    """

    title: str
    settings: Sequence[tuple[str, str, str]]
    claims: Callable[[xr.Dataset], list[Claim]]
    skill: str = ""


def greater(first: xr.DataArray, second: xr.DataArray) -> list[float]:
    """Whether the first is above the second, run by run, where both were run; the opposite where it is below."""
    return known(np.sign(first - second))


def above(values: xr.DataArray, mark: float) -> list[float]:
    """Whether each is above a mark."""
    return known((values > mark).where(values.notnull()))


def known(answers: xr.DataArray) -> list[float]:
    """Those that were asked."""
    return answers.values[answers.notnull().values].tolist()


def spread(values: xr.DataArray, form: str = "{:.3f}") -> str:
    """Median over all runs, and the range where there are several."""
    each = known(values)
    if len(each) < 2:
        return form.format(each[0]) if each else "none"
    return f"{form.format(np.median(each))} ({form.format(min(each))} to {form.format(max(each))})"


def section(name: str, figure: Figure, data: xr.Dataset) -> list[str]:
    """The part of the report on a figure."""
    claims = figure.claims(data)
    lines = [f"## {figure.title}: {_verdict(claims)}", ""]
    lines += aligned(["what was set", "in the paper", "here"], [list(row) for row in figure.settings], words=3)
    for claim in claims:
        runs = f"{len(claim.answers)} run{'s' * (len(claim.answers) != 1)}"
        lines += [
            "",
            f"**{claim.verdict}** — {claim.says} {claim.source}. Asked: {claim.asked}. Found, {runs}: {claim.found}.",
        ]
    picture = [f"![{figure.title}]({name}.png)", ""] if figure.picture else []
    return [*lines, "", *figure.report(data), *(_steadiness(figure, data) if figure.skill else []), *picture]


def _steadiness(figure: Figure, data: xr.Dataset) -> list[str]:
    """How robust biases are where they alone learned."""
    found = data[list(columns.SCORES)]
    names = [str(name) for name in found.moved.dims if name != "seed"]
    rows = [
        [*map(str, labels), *columns.words(one.median("seed"), "{:.2f}")]
        for labels in itertools.product(*(found[name].values for name in names))
        if (one := found.sel(dict(zip(names, labels, strict=True)))).moved.notnull().any()
    ]
    if not rows:
        return []
    return [*aligned([*names, *columns.HEADER], rows, words=len(names)), "", columns.note(figure.skill), ""]


def summary(figures: Mapping[str, Figure], found: Mapping[str, xr.Dataset], runs: Mapping[str, Runs]) -> list[str]:
    """One line a figure."""
    rows = []
    for name, figure in figures.items():
        claims = figure.claims(found[name]) if name in found else []
        counts = Counter(claim.verdict for claim in claims)
        each = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        verdict = _verdict(claims) if name in found else "not run"
        rows.append([figure.title, verdict, each, f"--figure {name}", f"{len(runs[name])} of {len(runs[name].cells)}"])
    return aligned(["figure", "verdict", "claims", "option", "rows run"], rows, words=4)


def _verdict(claims: Sequence[Claim]) -> str:
    """See `RULE`."""
    if not claims:
        return "no claim"
    found = {claim.verdict for claim in claims} - {"not run"}
    if not found:
        return "not run"
    if len(found) == 1:
        return found.pop()
    return "partly" if {"reproduced", "partly"} & found else "not"
