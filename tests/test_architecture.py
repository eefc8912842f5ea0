"""The rooms of the house stand one above the other: no import runs back up, and none goes round in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Each room may import those before it.
FLOORS = {
    "systems": [
        "checks", "labels", "integrate", "maps", "functions", "images", "connectomes", "plants", "tasks", "flows",
    ],
    "rnnbias": [
        "networks", "datasets", "objectives", "solvers", "storage", "fit", "metrics", "evaluation", "problems",
        "analysis", "plot", "theory",
    ],
}  # fmt: skip


def rooms(package):
    found = [p for p in (ROOT / package).iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    return {p.stem: [p] if p.suffix else sorted(p.rglob("*.py")) for p in found if p.stem != "__init__"}


def imported(path, package):
    """The rooms of `package` that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != package else [f"{package}.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith(f"{package}."))


@pytest.mark.parametrize("package", FLOORS)
def test_no_import_runs_back_up(package):
    floors, found = FLOORS[package], rooms(package)
    assert set(found) == set(floors) and len(found) <= 12
    for room, paths in found.items():
        for path in paths:
            above = {other for other in imported(path, package) if other in floors} - {room}
            assert all(floors.index(other) < floors.index(room) for other in above), f"{path}: {above}"


def test_systems_know_nothing_of_networks():
    for paths in rooms("systems").values():
        for path in paths:
            assert not list(imported(path, "rnnbias")), path


@pytest.mark.parametrize("package", FLOORS)
def test_no_files_import_each_other_in_a_circle(package):
    names = {}
    for paths in rooms(package).values():
        for path in paths:
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            names[module] = path
    edges = {}
    for module, path in names.items():
        if path.name == "__init__.py":
            continue  # a room's face hands names on
        edges[module] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                whole = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
                edges[module] |= {name for name in whole if name in names and names[name].name != "__init__.py"}
    done, path = set(), []

    def visit(module):
        assert module not in path, f"circle: {' -> '.join([*path[path.index(module) :], module])}"
        if module in done:
            return
        path.append(module)
        for other in edges.get(module, ()):
            visit(other)
        path.pop()
        done.add(module)

    for module in edges:
        visit(module)
