"""What the site is built from beside `docs`: the two packages, the notebooks and the reports of the benchmarks.

Nothing is copied into the repository: pages of the API are made from the modules that there are, and notebooks, tables
and figures are read where they lie. Equations become MathML, which browsers draw without a script.
"""

from __future__ import annotations

import ast
import html
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_LOG = logging.getLogger("mkdocs.hooks")
_ROOT = Path(__file__).parents[1]
_REPORT = _ROOT / "benchmarks" / "report"
_PACKAGES = ("rnnbias", "systems")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put a page for each room where the table of contents says `API`."""
    pages = ["api/index.md", *({package: _pages(package)} for package in _PACKAGES)]
    config.nav = [{"API": pages} if entry == {"API": "api/"} else entry for entry in config.nav or ()]
    return config


@event_priority(100)  # before the plugin that renders notebooks looks for them
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies elsewhere."""
    elsewhere = [*(_ROOT / "notebooks").glob("*.ipynb"), *_REPORT.rglob("*.md"), *_REPORT.rglob("*.png")]
    for path in sorted(elsewhere):
        place = path.relative_to(_ROOT).as_posix()
        files.append(File(place, str(_ROOT), config.site_dir, config.use_directory_urls))
    for package in _PACKAGES:
        for room, modules in _rooms(package).items():
            files.append(File.generated(config, _page(room), content=_reference(room, modules)))
    files.append(File.generated(config, "api/index.md", content=_contents()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Hang the gallery."""
    return markdown.replace("<!-- gallery -->", _gallery()) if page.file.src_uri == "gallery.md" else markdown


def on_page_content(content: str, **_: object) -> str:
    r"""Turn the equations, which are \(...\) or \[...\] by now, into MathML; leave out scripts from elsewhere."""
    content = re.sub(
        r"<script[^>]*>(?:(?!</script>).)*https://(?:(?!</script>).)*</script>", "", content, flags=re.DOTALL
    )
    return re.sub(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', _mathml, content, flags=re.DOTALL)


def on_post_page(output: str, page: Page, **_: object) -> None:
    """Warn where a page would load anything from another host."""
    for tag in re.findall(r"<(?:script|link|img|iframe)[^>]*https?://[^>]*>", output):
        _LOG.warning("%s would load from another host: %s", page.file.src_uri, tag[:100])


def _mathml(found: re.Match[str]) -> str:
    return convert(html.unescape(found[2]), display="block" if found[1] == "div" else "inline")


def _rooms(package: str) -> dict[str, list[str]]:
    """The rooms of a package, each with its modules: folders, and the files that stand by themselves."""
    root = _ROOT / package
    rooms = {package: [package]}
    for path in sorted(root.iterdir()):
        name = f"{package}.{path.stem}"
        if (path / "__init__.py").exists():
            rooms[name] = [name, *sorted(_dotted(inner) for inner in path.rglob("*.py") if inner.stem != "__init__")]
        elif path.suffix == ".py" and not path.stem.startswith("_"):
            rooms[name] = [name]
    return rooms


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(_ROOT).with_suffix("").parts)


def _page(room: str) -> str:
    return f"api/{room}.md"


def _pages(package: str) -> list[dict[str, str]]:
    return [{room.removeprefix(f"{package}."): _page(room)} for room in _rooms(package)]


def _reference(room: str, modules: list[str]) -> str:
    """A page of the API; a package shows what its docstring says and leaves its names to the modules."""
    blocks = [f"# {room}"]
    for module in modules:
        whole = (_ROOT / Path(*module.split(".")) / "__init__.py").exists()
        options = ["members: false", "show_root_toc_entry: false"] if whole else []
        options += ["show_root_heading: false"] if whole or len(modules) == 1 else ["show_root_heading: true"]
        blocks.append("\n".join([f"::: {module}", "    options:", *(f"      {option}" for option in options)]))
    return "\n\n".join(blocks) + "\n"


def _contents() -> str:
    """The rooms, each with the first sentence about it."""
    rows = [f"| [`{room}`]({room}.md) | {_first_line(room)} |" for package in _PACKAGES for room in _rooms(package)]
    return "\n".join(["# API", "", "| room | what is in it |", "| --- | --- |", *rows, ""])


def _first_line(module: str) -> str:
    path = _ROOT / Path(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def _gallery() -> str:
    """Every figure under the title and the command of the report beside it."""
    folders = sorted({path.parent for path in _REPORT.rglob("*.png")})
    return "\n\n".join(line for folder in folders for line in _hang(folder)) + "\n"


def _hang(folder: Path) -> Iterator[str]:
    place, where = folder.relative_to(_REPORT).as_posix(), folder.relative_to(_ROOT).as_posix()
    report = next(iter(sorted(folder.glob("*.md"))), _REPORT / "ladder" / "forecast.md")  # the topmost are the ladder's
    text = report.read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    command = re.search(r"^ *`?(python \S.*?)`?$", text, re.MULTILINE)
    yield f"## {title[1] if title else report.stem}{'' if place == '.' else f' ({place})'}"
    if command:
        yield f"```\n{command[1]}\n```"
    for path in sorted(folder.glob("*.png")):
        yield f"![{path.stem.replace('_', ' ').replace('-', ' ')}]({where}/{path.name})"
    yield f"[The numbers]({report.relative_to(_ROOT).as_posix()})"
