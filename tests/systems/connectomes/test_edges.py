import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import sparse

from systems.connectomes import Connectome

#: a excites b with 2, b inhibits c with 3.
CHAIN = [[0, 0, 0], [2, 0, 0], [0, -3, 0]]
NAMES = ("a", "b", "c")


def table(pre="ab", post="bc", weight=(2, -3), **names):
    return pd.DataFrame({"pre": list(pre), "post": list(post), "weight": list(weight)}).rename(columns=names)


def labelled(**change):
    names = {"post": list(NAMES), "pre": list(NAMES), **change}
    return xr.DataArray(np.array(CHAIN, float), dims=("post", "pre"), coords=names)


def graph(kind="DiGraph"):
    networkx = pytest.importorskip("networkx")
    made = getattr(networkx, kind)()
    made.add_nodes_from(NAMES)
    made.add_edge("a", "b", weight=2)
    made.add_edge("b", "c", weight=-3)
    return made


DATASET = Connectome.of(np.array(CHAIN), neurons=NAMES).to_dataset()


def csv(tmp_path, text):
    path = tmp_path / "edges.csv"
    path.write_text(text)
    return path


SOURCES = {
    "array": lambda: (np.array(CHAIN), {"neurons": NAMES}),
    "transposed array": lambda: (np.transpose(CHAIN), {"neurons": NAMES, "orientation": "pre, post"}),
    "coo": lambda: (sparse.coo_array(np.array(CHAIN)), {"neurons": NAMES}),
    "csc matrix": lambda: (sparse.csc_matrix(CHAIN), {"neurons": NAMES}),
    "transposed lil": lambda: (sparse.lil_array(np.transpose(CHAIN)), {"neurons": NAMES, "orientation": "pre, post"}),
    "table": lambda: (table(), {}),
    "table in another order": lambda: (table("ba", "cb", (-3, 2)), {"neurons": NAMES}),
    "table of categories": lambda: (table().astype({"pre": "category", "post": "category"}), {}),
    "labelled": lambda: (labelled(), {}),
    "labelled, pre first": lambda: (labelled().T, {}),
    "labelled in other orders": lambda: (labelled().isel(post=[2, 0, 1], pre=[1, 2, 0]), {"neurons": NAMES}),
    "labelled without names": lambda: (labelled().drop_vars(["pre", "post"]), {"neurons": NAMES}),
    "graph": lambda: (graph(), {}),
    "multigraph": lambda: (graph("MultiDiGraph"), {}),
    "dataset that says nothing else": lambda: (DATASET.drop_attrs(), {}),
    "dataset": lambda: (DATASET, {}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_chain_which_a_drives_into_b(source):
    data, settings = SOURCES[source]()
    found = Connectome.of(data, **settings)
    assert found.neurons == NAMES
    assert (found.weights @ [1.0, 0.0, 0.0]).tolist() == [0, 2, 0]
    assert (found.weights @ [0.0, 1.0, 0.0]).tolist() == [0, 0, -3]
    assert found.digest == Connectome.of(np.array(CHAIN), neurons=NAMES).digest


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("pre,post,weight\na,b,2\nb,c,-3\n", None),
        ("post,pre,count\nb,a,2\nc,b,-3\n", None),
        ("kind,to,of,size\nx,b,a,2\nx,c,b,-3\n", ("of", "to", "size")),
        ("pre,post,count,weight\na,b,9,2\nb,c,9,-3\n", None),
    ],
)
def test_columns_of_a_file(tmp_path, text, columns):
    found = Connectome.of(csv(tmp_path, text), columns=columns)
    assert found.dense().tolist() == CHAIN and found.name == "edges"
    assert Connectome.of(str(tmp_path / "edges.csv"), columns=columns, name="mine").name == "mine"


def test_numbers_can_name_neurons(tmp_path):
    ids = [720575940621039145, 720575940621039146]
    data = pd.DataFrame({"pre": ids[:1], "post": ids[1:], "count": [4]})
    found = Connectome.of(data, neurons=ids)
    assert found.neurons == tuple(map(str, ids)) and found.dense()[1, 0] == 4
    data.to_csv(tmp_path / "ids.csv", index=False)
    assert Connectome.of(tmp_path / "ids.csv").digest == found.digest


def test_names_that_look_like_nothing_are_names(tmp_path):
    found = Connectome.of(csv(tmp_path, "pre,post,weight\nNA,nan,1\nnan,null,2\n"))
    assert found.neurons == ("NA", "nan", "null")


def test_neurons_without_synapses_and_without_names():
    assert Connectome.of(table(), neurons=["z", *NAMES]).dense()[2, 1] == 2
    assert Connectome.of(CHAIN).neurons == ("0", "1", "2")


@pytest.mark.parametrize("make", [lambda d: d, lambda d: Connectome.of(d, duplicates="sum").to_dataset()])
def test_what_a_dataset_says_can_be_overruled(make):
    wiring = make(table())
    assert Connectome.of(wiring, name="x", source="y", licence="z").licence == "z"


def test_edges_of_weight_zero_are_none():
    assert Connectome.of(table(weight=(0, -3))).synapses == 1
    doubled = table("aab", "bbc", (2, -2, 1))
    assert Connectome.of(doubled, duplicates="sum").synapses == 1


def test_duplicates_are_refused_or_summed():
    doubled = table("abab", "bcbc", (2, -3, 1, 4))
    with pytest.raises(ValueError, match=r'once \(or give duplicates="sum"\), got 2 .* such as \'a\' -> \'b\''):
        Connectome.of(doubled)
    assert Connectome.of(doubled, duplicates="sum").weights.data.tolist() == [3, 1]
    stored = sparse.csr_array((np.ones(2), np.zeros(2, int), np.array([0, 2])), shape=(1, 1))
    with pytest.raises(ValueError, match="got 1 that are there"):
        Connectome.of(stored)
    multigraph = graph("MultiDiGraph")
    multigraph.add_edge("a", "b", weight=5)
    assert Connectome.of(multigraph, duplicates="sum").dense()[1, 0] == 7


def test_self_loops_are_kept_or_refused():
    looped = table("aab", "abb", (1, 2, 3))
    assert Connectome.of(looped).dense().tolist() == [[1, 0], [2, 3]]
    with pytest.raises(ValueError, match="data must hold no self-loops, got 2, first of 'a'"):
        Connectome.of(looped, self_loops="refuse")
    assert Connectome.of(table(), self_loops="refuse").synapses == 2


def unweighted():
    made = graph()
    made.add_edge("c", "a")
    return made


@pytest.mark.parametrize(
    ("make", "settings", "error", "message"),
    [
        (lambda: np.zeros((2, 3)), {}, ValueError, r"data must be square, \(post, pre\), got shape \(2, 3\)"),
        (lambda: sparse.csr_array((2, 3)), {}, ValueError, r"data must be square, \(post, pre\), got shape \(2, 3\)"),
        (lambda: np.zeros(4), {}, ValueError, "data must have 2 dimensions"),
        (lambda: None, {}, TypeError, "data must hold real numbers"),
        (lambda: [[0, np.nan], [0, 0]], {}, ValueError, r"data must be finite, got 1 NaN .* first at \(0, 1\)"),
        (lambda: sparse.csr_array([[0, np.inf], [0, 0]]), {}, ValueError, "data must be finite, got 1 NaN or infinite"),
        (lambda: sparse.csr_array([[0, 1j], [0, 0]]), {}, TypeError, "data must hold real numbers, got dtype complex"),
        (lambda: CHAIN, {"neurons": "ab"}, TypeError, "neurons must be a sequence of names"),
        (lambda: CHAIN, {"neurons": ["a", "b"]}, ValueError, "neurons must be 3 names, one for each row .*, got 2"),
        (lambda: CHAIN, {"neurons": ["a", "b", "b"]}, ValueError, "neurons must be names that differ, got 'b' twice"),
        (lambda: CHAIN, {"orientation": "post,pre"}, ValueError, "orientation must be one of 'post, pre', 'pre, post'"),
        (lambda: CHAIN, {"duplicates": "add"}, ValueError, "duplicates must be one of 'refuse', 'sum', got 'add'"),
        (lambda: CHAIN, {"self_loops": "drop"}, ValueError, "self_loops must be one of 'keep', 'refuse', got 'drop'"),
        (lambda: CHAIN, {"columns": ("a", "b", "c")}, ValueError, "columns must be left out where data is no table"),
        (table, {"orientation": "pre, post"}, ValueError, "orientation must be left out .*, got 'pre, post'"),
        (labelled, {"orientation": "pre, post"}, ValueError, "orientation must be left out"),
        (graph, {"orientation": "pre, post"}, ValueError, "orientation must be left out"),
        (table, {"neurons": ["a", "b"]}, ValueError, "post must be among the 2 neurons, got 'c'"),
        (table, {"neurons": ["aa", "b", "c"]}, ValueError, "pre must be among .*, got 'a'; did you mean 'aa'"),
        (lambda: table(post=["b", None]), {}, ValueError, "post must name a neuron in every row, got none in row 1"),
        (lambda: table(pre=[1.0, 2.0]), {}, TypeError, "pre must hold names or whole numbers, got 1.0"),
        (lambda: table(weight=(1, np.nan)), {}, ValueError, r"weight must be finite, got 1 NaN .* first at \(1,\)"),
        (lambda: table(weight=("1", "x")), {}, TypeError, "weight must hold real numbers, got dtype object"),
        (lambda: table(weight=(1, 2), post="bc"), {"columns": ("pre", "post")}, ValueError, "columns must name three"),
        (table, {"columns": ("pre", "pre", "weight")}, ValueError, "columns must name three columns that differ"),
        (
            lambda: table().rename(columns={"post": "onto"}),
            {},
            ValueError,
            "column of post must be .* got 'post'",
        ),
        (lambda: graph("Graph"), {}, TypeError, "data must be a directed graph, got Graph"),
        (unweighted, {}, ValueError, "data must have a weight on every edge, got none on c -> a"),
        (graph, {"neurons": ["a", "b"]}, ValueError, "data must be among the 2 neurons, got 'c'"),
        (lambda: labelled().rename(pre="from"), {}, ValueError, r"dimensions post and pre, got \('post', 'from'\)"),
        (lambda: labelled(pre=["a", "b", "d"]), {}, ValueError, "same neurons along post and pre, got 'c' along only"),
        (lambda: labelled(pre=["a", "b", "b"]), {}, ValueError, "pre must be names that differ, got 'b' twice"),
        (
            lambda: labelled().drop_vars("pre"),
            {},
            ValueError,
            "both post and pre, or along neither, got only post",
        ),
        (lambda: labelled() * np.nan, {}, ValueError, "data must be finite, got 9 NaN"),
        (lambda: DATASET.drop_vars("weight"), {}, ValueError, "to_dataset makes it, got one without weight"),
        (lambda: DATASET, {"neurons": NAMES}, ValueError, "neurons must be left out where data is a Dataset"),
        (lambda: DATASET.assign(pre=DATASET.pre + 9), {}, ValueError, "pre must be whole numbers from 0 to 2, got"),
        (lambda: DATASET.assign(post=DATASET.post * 0.5), {}, ValueError, "post must be whole numbers from 0 to 2"),
        (lambda: "nowhere.csv", {}, FileNotFoundError, "data must be a file that exists, got 'nowhere.csv'"),
    ],
)
def test_what_is_wrong_is_refused(make, settings, error, message):
    with pytest.raises(error, match=message):
        Connectome.of(make(), **settings)


@pytest.mark.parametrize(
    ("text", "settings", "error", "message"),
    [
        ("", {}, ValueError, "data must be an edge list with a header, got .*edges.csv"),
        ('pre,post,weight\n"a,b,1\n', {}, ValueError, "edge list with a header, got .*: Error tokenizing data"),
        ("pre,post,weight\na,b\n", {}, ValueError, "weight must be finite, got 1 NaN"),
        ("a,b,2\n", {}, ValueError, "column of pre must be one of 'a', 'b', '2', got 'pre'"),
        ("pre,post,weight\na,b,\n", {}, ValueError, "weight must be finite, got 1 NaN"),
        ("pre,post,count\na,b,inf\n", {}, ValueError, "count must be finite"),
        ("pre,post,weight\na,b,many\n", {}, TypeError, "weight must hold real numbers"),
        ("pre,post,weight\n,b,1\n", {}, ValueError, "data must be names that are not empty"),
        ("pre,post,weight\na,b,1\n", {"neurons": ["a", "c"]}, ValueError, "post must be among .*, got 'b'"),
        ("pre,post,weight\n", {}, ValueError, "data must be names that are not empty, at least one"),
    ],
)
def test_wrong_files_are_refused(tmp_path, text, settings, error, message):
    with pytest.raises(error, match=message):
        Connectome.of(csv(tmp_path, text), **settings)
