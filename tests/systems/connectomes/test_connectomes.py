import pytest

from systems import connectomes


def test_whatever_is_available_can_be_had_or_says_what_it_needs():
    lines = connectomes.available()
    assert list(lines) == list(connectomes.CONNECTOMES) and all(line and "\n" not in line for line in lines.values())
    for name, line in lines.items():
        if "needs" not in line:
            assert connectomes.get(name).name == name


def test_settings_go_to_the_function():
    assert connectomes.get("celegans", signs="none").digest == connectomes.celegans(signs="none").digest
    with pytest.raises(FileNotFoundError, match=r"folder must hold left_adjacency\.csv, got 'nowhere'"):
        connectomes.get("mushroom_body", folder="nowhere")


def test_wrong_names_are_refused():
    with pytest.raises(ValueError, match=r"name must be one of 'celegans', .*, got 'elegans'; did you mean 'celegans'"):
        connectomes.get("elegans")
    with pytest.raises(ValueError, match="parameter of celegans must be one of 'signs', got 'sign'"):
        connectomes.get("celegans", sign="none")
