import pytest

from systems.connectomes import mushroom_body


def write(tmp_path, counts="0 0 2\n7 0 0\n0 0 0\n", labels="K\nP\nK\n", side="left"):
    (tmp_path / f"{side}_adjacency.csv").write_text(counts)
    (tmp_path / f"{side}_cell_labels.csv").write_text(labels)
    return tmp_path


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_are_presynaptic(tmp_path, side):
    found = mushroom_body(write(tmp_path, side=side), side)
    assert found.neurons == ("K1", "P1", "K2") and found.name == f"mushroom body, {side}"
    assert found.labels("class") == ("Kenyon cell", "projection neuron", "Kenyon cell")
    assert (found.weights @ [0.0, 1.0, 0.0]).tolist() == [7, 0, 0]
    assert (found.weights @ [1.0, 0.0, 0.0]).tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": "0 0\n1 0\n"}, "neurons must be 2 names, one for each row of data, got 3"),
        ({"counts": "0 0 1\n1 0 1\n"}, r"data must be square, \(post, pre\), got shape \(2, 3\)"),
        ({"counts": "0 x\n1 0\n"}, "left_adjacency.csv' must be a table between spaces"),
        ({"labels": "K\nP\nX\n"}, "cell label must be one of 'K', 'P', 'O', 'I', got 'X'"),
    ],
)
def test_files_that_do_not_agree_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        mushroom_body(write(tmp_path, **change))


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder must hold right_adjacency\.csv, got "):
        mushroom_body(write(tmp_path), "right")
    (tmp_path / "left_cell_labels.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"folder must hold left_cell_labels\.csv, got "):
        mushroom_body(tmp_path)
    with pytest.raises(ValueError, match="side must be one of 'left', 'right', got 'both'"):
        mushroom_body(tmp_path, "both")
