"""Docstrings as the site reads them: numpydoc whose equations, columns and closing remarks are Markdown."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

from griffe import Attribute, Docstring, Extension, Function, Module, Object

_ITEMS = ("Parameters", "Attributes", "Raises", "Warns")
_ITEM = re.compile(r"\*{0,2}\w+(, \*{0,2}\w+)*( : .*)?$")


class Markdown(Extension):
    """Rewrites every docstring before it is parsed, and takes the `#:` comments above a constant for one."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Rewrite the docstring of one module, class, function or attribute."""
        if obj.docstring:
            returns = str(obj.returns) if isinstance(obj, Function) and obj.returns else "object"
            obj.docstring.value = markdown(obj.docstring.value, returns)

    def on_package(self, *, pkg: Module, **_: object) -> None:
        """Rewrite the docstring of a package, which is no object of another."""
        self.on_object(obj=pkg)

    def on_attribute(self, *, attr: Attribute, **_: object) -> None:
        """Read what stands above a constant."""
        if attr.docstring is None and attr.lineno and isinstance(attr.filepath, Path):
            above = attr.filepath.read_text(encoding="utf-8").splitlines()[: attr.lineno - 1]
            comment = list(takewhile(lambda line: line.startswith("#:"), map(str.strip, reversed(above))))
            if comment:
                attr.docstring = Docstring("\n".join(line[2:].strip() for line in reversed(comment)), parent=attr)


def markdown(text: str, returns: str = "object") -> str:
    """Turn a docstring into strict numpydoc.

    Remarks and examples that follow a list of parameters would be taken for parameters: remarks move in front of the
    list and examples get their heading. What is said of the result gets its type, `returns`, for a heading.
    """
    text = re.sub(r":math:`([^`]+)`", lambda found: f"${' '.join(found[1].split())}$", text)
    text = re.sub(r"(:(?:func|class|mod|meth|attr):)`~?([^`]+)`(?=( {2})?)", _code, text)
    text = re.sub(r"(\.\. math::)\s*\n\s*", r"\1 ", text)
    section, front, rest = "", [], []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        first, *others = paragraph.split("\n")
        if others and re.fullmatch(r"-{3,}", others[0]):
            section = first
            body = others[1:]
            if section == "Returns" and not any(line.startswith(" ") for line in body) and " " in "".join(body):
                paragraph = "\n".join([first, others[0], returns, *(f"    {line}" for line in body)])
            rest.append(paragraph)
        elif first.startswith(">>>") and section != "Examples":
            section = "Examples"
            rest.append(f"Examples\n--------\n{paragraph}")
        elif section in _ITEMS and not paragraph.startswith(" ") and not _ITEM.match(first):
            front.append(_paragraph(paragraph))
        else:
            (rest if section else front).append(_paragraph(paragraph))
    return "\n\n".join(front + rest)


def _code(role: re.Match[str]) -> str:
    """A name in code, as wide as it was where columns follow."""
    return f"`{role[2]}`{' ' * len(role[1]) if role[3] else ''}"


def _paragraph(text: str) -> str:
    """An equation between dollars, columns between fences, and all else as it is."""
    if found := re.match(r"( *)\.\. math::\s*(.*)", text, re.DOTALL):
        return f"{found[1]}$$\n{found[1]}{' '.join(found[2].split())}\n{found[1]}$$"
    lines = text.splitlines()
    columns = sum(bool(re.match(r"[^\s>].*?\S {2,}\S", line)) for line in lines)
    if len(lines) > 1 and 2 * columns > len(lines) and not text.startswith((">>>", "```")):
        return f"```text\n{text}\n```"
    return text
