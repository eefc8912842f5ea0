import json

import numpy as np
import pytest

from systems.connectomes import flyvis
from systems.connectomes.flyvis import _gaps


def wiring(**change):
    """R1 in every column and L1 in every third: R1 makes 5 synapses onto the L1 of the column one up in u."""
    return {
        "nodes": [
            {"name": "R1", "pattern": ["stride", [1, 1]], "bias": 3.5},
            {"name": "L1", "pattern": ["stride", [3, 2]]},
            {"name": "T1", "pattern": ["tile", 2]},
            {"name": "CT1", "pattern": ["single", None]},
        ],
        "edges": [
            {"src": "R1", "tar": "L1", "alpha": -1, "offsets": [[[1, 0], 5]], "lambda_mult": 0.7},
            {"src": "R1", "tar": "R1", "alpha": 1, "offsets": [[[0, 0], 2.5]]},
        ],
        "input_units": ["R1"],
        "output_units": ["T1"],
        **change,
    }


def write(tmp_path, content):
    path = tmp_path / "eye.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_cells_lie_on_a_hexagon(tmp_path):
    eye = flyvis(write(tmp_path, wiring()), extent=2)
    kinds = eye.labels("type")
    assert [kinds.count(kind) for kind in ("R1", "L1", "T1", "CT1")] == [19, 3, 7, 1]
    assert {name for name in eye.neurons if name.startswith("L1")} == {"L1 0 -2", "L1 0 0", "L1 0 2"}
    assert eye.neurons[:2] == ("R1 -2 0", "R1 -2 1") and eye.labels("u")[:2] == ("-2", "-2")
    assert set(zip(kinds, eye.labels("role"), strict=True)) == {
        ("R1", "input"), ("L1", "intermediate"), ("T1", "output"), ("CT1", "intermediate"),
    }  # fmt: skip
    radius = 15
    assert flyvis(write(tmp_path, wiring()), extent=radius).labels("type").count("R1") == 3 * radius * (radius + 1) + 1


def test_offsets_go_from_the_sender_to_the_receiver(tmp_path):
    eye = flyvis(write(tmp_path, wiring()), extent=2)
    found = eye.to_table()
    onto = found[found.post.str.startswith("L1")]
    assert dict(zip(onto.pre, onto.post, strict=True)) == {
        "R1 -1 0": "L1 0 0", "R1 -1 2": "L1 0 2",
    }  # fmt: skip
    assert (onto.weight == -5).all()
    assert (found[found.post.str.startswith("R1")].weight == 2.5).all() and eye.synapses == 19 + 2
    assert eye.weights[eye.index("L1 0 0")[0], eye.index("R1 -1 0")[0]] == -5


def test_gaps_within_the_hull_are_filled(tmp_path):
    around = [[[u, v], 3] for u, v in [(-1, 0), (1, 0), (0, 1), (0, -1)]]
    edges = [{"src": "R1", "tar": "R1", "alpha": 1, "offsets": around}]
    for fill, middle in ((1.0, 1.0), (0.5, 0.5), (0, 0.0)):
        eye = flyvis(write(tmp_path, wiring(edges=edges)), extent=1, fill=fill)
        assert eye.weights[eye.index("R1 0 0")[0], eye.index("R1 0 0")[0]] == middle
        assert eye.weights[eye.index("R1 1 0")[0], eye.index("R1 0 0")[0]] == 3


@pytest.mark.parametrize(
    ("offsets", "gaps"),
    [
        ([(0, 0)], []),
        ([(0, 0), (3, 0)], []),
        ([(0, 0), (2, 2), (4, 4)], []),
        ([(0, 0), (2, 0), (0, 2), (2, 2)], [(0, 1), (1, 1), (1, 2), (2, 1)]),
        ([(0, 0), (3, 0), (0, 3)], [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)]),
    ],
)
def test_gaps(offsets, gaps):
    assert sorted(map(tuple, _gaps(np.array(offsets)).tolist())) == gaps


def test_several_edges_between_two_types_add_up(tmp_path):
    edge = {"src": "R1", "tar": "R1", "alpha": 1, "offsets": [[[0, 0], 2]]}
    assert (flyvis(write(tmp_path, wiring(edges=[edge, edge])), extent=1).weights.data == 4).all()
    assert flyvis(write(tmp_path, wiring(edges=[])), extent=1).synapses == 0


EDGE = {"src": "R1", "tar": "L1", "alpha": 1, "offsets": [[[0, 0], 1]]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "path must lead to a connectome as flyvis has it, got .*eye.json': JSONDecodeError"),
        ({}, "KeyError"),
        ([], "TypeError"),
        (
            wiring(nodes=[{"name": "R1", "pattern": ["strided", 1]}]),
            "pattern must be one of 'stride', 'tile', 'single'",
        ),
        (wiring(edges=[{**EDGE, "tar": "L2"}]), "tar must be one of 'R1', 'L1', 'T1', 'CT1', got 'L2'"),
        (wiring(edges=[{**EDGE, "alpha": 0.5}]), "alpha must be -1 or 1, got 0.5"),
        (wiring(edges=[{**EDGE, "offsets": [[[0.5, 0], 1]]}]), "offsets of R1 -> L1 must be whole numbers"),
        (wiring(edges=[{**EDGE, "offsets": [[[0, 0], "x"]]}]), "offsets must hold real numbers"),
        (wiring(edges=[{**EDGE, "offsets": [[[0, 0], float("nan")]]}]), "offsets must be finite"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        flyvis(write(tmp_path, content))


def test_wrong_arguments_are_refused(tmp_path):
    path = write(tmp_path, wiring())
    with pytest.raises(FileNotFoundError, match=r"path must be a file that exists, got 'nowhere\.json'"):
        flyvis("nowhere.json")
    with pytest.raises(ValueError, match="extent must be at least 0, got -1"):
        flyvis(path, extent=-1)
    with pytest.raises(ValueError, match="fill must be at least 0, got -1"):
        flyvis(path, fill=-1)
