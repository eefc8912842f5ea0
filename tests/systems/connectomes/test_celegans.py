import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import systems.connectomes
from systems.connectomes import celegans

FOLDER = Path(systems.connectomes.__file__).parent / "celegans"


def test_the_counts_are_those_of_the_source():
    worm = celegans(signs="none")
    assert (worm.units, worm.synapses, worm.weights.sum()) == (302, 3638, 20589)
    assert round(worm.density, 3) == 0.040 and np.count_nonzero(worm.weights.diagonal()) == 34
    assert len(set(worm.labels("class"))) == 118 and len(set(worm.labels("role"))) == 12
    transmitters = worm.labels("transmitter")
    assert [transmitters.count(name) for name in ("ACh", "Glu", "GABA", "")] == [157, 78, 33, 34]
    degrees = (worm.weights != 0).sum(0) + (worm.weights != 0).sum(1)
    assert [worm.neurons[k] for k in np.flatnonzero(degrees == 0)] == ["CANL", "CANR", "M5", "PLML", "PLMR"]


def test_a_command_neuron_drives_its_motor_neurons():
    worm = celegans(signs="none")
    assert worm.weights[worm.index("DA1")[0], worm.index("AVAL")[0]] > 0
    assert worm.weights[worm.index("AVAL")[0], worm.index("DA1")[0]] == 0


def test_signs_are_predicted_or_those_of_the_transmitter():
    table = pd.read_csv(FOLDER / "connectome.csv")
    assert table.sign.value_counts().to_dict() == {1: 1327, -1: 425} and len(table) == 3638
    worm, plain = celegans(), celegans(signs="none")
    np.testing.assert_array_equal(abs(worm.dense()), plain.dense())
    sign = np.sign(worm.dense())
    gaba = np.array(worm.labels("transmitter")) == "GABA"
    for pre, post, predicted in zip(table.pre, table.post, table.sign, strict=True):
        i, j = worm.index([post, pre])
        assert sign[i, j] == (predicted if predicted == predicted else (-1 if gaba[j] else 1))
    assert ((sign < 0).sum(), (sign > 0).sum()) == (553, 3085)
    by_transmitter = celegans(signs="transmitter")
    assert by_transmitter.digest == plain.signed({"GABA": -1}, by="transmitter").digest
    assert (by_transmitter.weights.data < 0).sum() == 244
    with pytest.raises(ValueError, match="signs must be one of 'predicted', 'transmitter', 'none', got 'predict'"):
        celegans(signs="predict")


def test_the_sum_of_predictions_is_as_it_was_read():
    assert celegans().weights.sum() == 14577
    assert celegans().digest == celegans().digest


def test_it_loads_in_a_moment():
    celegans()
    took = []
    for _ in range(5):
        start = time.perf_counter()
        celegans()
        took.append(time.perf_counter() - start)
    assert min(took) < 0.1


def test_the_data_say_where_they_come_from():
    assert {path.name for path in FOLDER.iterdir()} == {"README.md", "connectome.csv", "neurons.csv"}
    text = (FOLDER / "README.md").read_text()
    assert "10.1371/journal.pcbi.1007974" in text and "CC BY 4.0" in text
    assert "gap" not in (FOLDER / "connectome.csv").read_text()
