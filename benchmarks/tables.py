"""Tables that line up as plain text too."""

from __future__ import annotations

import numpy as np

__all__ = ["aligned", "number"]


def number(value: object, form: str) -> str:
    """A number as text: nothing for NaN."""
    value = float(value)
    return "" if np.isnan(value) else "∞" if np.isinf(value) else form.format(value)


def aligned(header: list[str], cells: list[list[str]], words: int = 2) -> list[str]:
    """A Markdown table whose columns line up as plain text too; the first `words` hold words, the others numbers."""
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]

    def line(row: list[str]) -> str:
        parts = [c.ljust(w) if k < words else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        return f"| {' | '.join(parts)} |"

    rule = [f":{'-' * (w - 1)}" if k < words else f"{'-' * (w - 1)}:" for k, w in enumerate(widths)]
    return [line(header), line(rule), *map(line, cells)]
