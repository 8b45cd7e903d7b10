"""The graph key: equal for equal networks, different for different ones."""

from __future__ import annotations

import itertools
import time

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.errors import InputError
from neurosage.nas.graph import Graph


@st.composite
def graphs(draw, most=7):
    """Feed-forward graphs from node 0 to the last, with few labels and many ties."""
    count = draw(st.integers(2, most))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=12))
    operations = draw(
        st.lists(st.sampled_from(["conv", "pool"]), min_size=len(chosen), max_size=len(chosen))
    )
    labels = draw(st.lists(st.sampled_from(["add", "cat"]), min_size=count, max_size=count))
    edges = tuple((a, b, x) for (a, b), x in zip(chosen, operations, strict=True))
    return Graph(tuple(labels), edges, (0,), (count - 1,))


def renumber(graph, order):
    """Give node i the number order[i]."""
    nodes = [""] * len(graph.nodes)
    for node, label in enumerate(graph.nodes):
        nodes[order[node]] = label
    edges = tuple((order[a], order[b], x) for a, b, x in reversed(graph.edges))
    return Graph(
        tuple(nodes),
        edges,
        tuple(order[i] for i in graph.inputs),
        tuple(order[i] for i in graph.outputs),
    )


def equal(one, two):
    """Reference: isomorphism of labelled multigraphs, by NetworkX."""

    def convert(graph):
        graph = graph.prune()
        made = nx.DiGraph()
        for node, label in enumerate(graph.nodes):
            roles = (node in graph.inputs, node in graph.outputs)
            made.add_node(node, role=(label, *roles))
        for a, b, operation in graph.edges:
            before = made.get_edge_data(a, b, {"operations": ()})["operations"]
            made.add_edge(a, b, operations=tuple(sorted((*before, operation))))
        return made

    return nx.is_isomorphic(
        convert(one),
        convert(two),
        node_match=lambda a, b: a == b,
        edge_match=lambda a, b: a == b,
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_key_ignores_numbering(data):
    """However nodes are numbered and edges listed, the key is the same."""
    graph = data.draw(graphs())
    order = data.draw(st.permutations(range(len(graph.nodes))))
    assert renumber(graph, order).key() == graph.key()


@settings(max_examples=150, deadline=None)
@given(graphs(most=5), graphs(most=5))
def test_key_is_isomorphism(one, two):
    """Two graphs have one key if and only if they are isomorphic once pruned."""
    assert (one.key() == two.key()) == equal(one, two)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_key_sees_every_edge(data):
    """A graph with one edge changed has the old key only where it is isomorphic."""
    graph = data.draw(graphs().filter(lambda g: g.edges))
    at = data.draw(st.integers(0, len(graph.edges) - 1))
    a, b, operation = graph.edges[at]
    other = (a, b, "pool" if operation == "conv" else "conv")
    edges = (*graph.edges[:at], other, *graph.edges[at + 1 :])
    changed = Graph(graph.nodes, edges, graph.inputs, graph.outputs)
    assert (changed.key() == graph.key()) == equal(changed, graph)


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_pruning_once_is_enough(graph):
    """Pruning again changes nothing, and the key is that of the pruned graph."""
    pruned = graph.prune()
    assert pruned.prune() == pruned
    assert pruned.key() == graph.key()


def chain(*operations):
    edges = tuple((i, i + 1, x) for i, x in enumerate(operations))
    return Graph(("",) * (len(operations) + 1), edges, (0,), (len(operations),))


def test_dead_ends_do_not_count():
    """What no image reaches, and what reaches no answer, is not part of the network."""
    live = chain("conv", "pool")
    dead = (*live.edges, (0, 3, "conv"), (4, 1, "conv"), (3, 5, "pool"))
    assert Graph(("",) * 6, dead, (0,), (2,)).key() == live.key()


def test_sharing_is_not_copying():
    """One layer heard twice is another network than two equal layers heard once each."""
    shared = ((0, 1, "a"), (1, 2, "b"), (1, 3, "c"), (2, 4, "d"), (3, 4, "d"))
    copied = ((0, 1, "a"), (0, 5, "a"), (1, 2, "b"), (5, 3, "c"), (2, 4, "d"), (3, 4, "d"))
    one, two = (Graph(("",) * 6, edges, (0,), (4,)) for edges in (shared, copied))
    assert one.key() != two.key()


def test_edges_count_as_often_as_they_occur():
    """Adding a tensor to itself is not taking it once."""
    once, twice = (Graph(("add", "add"), ((0, 1, "id"),) * n, (0,), (1,)) for n in (1, 2))
    assert once.key() != twice.key()


def test_inputs_keep_their_order():
    """The two inputs of a cell are not each other's copies."""
    edges = ((0, 2, "conv"), (1, 2, "pool"))
    one, two = (Graph(("",) * 3, edges, inputs, (2,)) for inputs in ((0, 1), (1, 0)))
    assert one.key() != two.key()


def test_labels_count():
    """Joining by adding is not joining by concatenating."""
    one, two = (Graph(("", join), ((0, 1, "a"),), (0,), (1,)) for join in ("add", "cat"))
    assert one.key() != two.key()


def rings(*sizes):
    """Rings of equal nodes, each fed by the image and heard by the answer."""
    edges, first = [], 2
    for size in sizes:
        ring = range(first, first + size)
        for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
            edges += [(a, b, "x"), (b, a, "x")]
        edges += [(0, a, "in") for a in ring] + [(a, 1, "out") for a in ring]
        first += size
    return Graph(("",) * first, tuple(edges), (0,), (1,))


def test_refinement_alone_would_not_do():
    """A ring of six and two rings of three look alike to every node, but differ."""
    assert rings(6).key() != rings(3, 3).key()


@pytest.mark.parametrize("sizes", [(3, 3), (4, 3), (6, 3, 3)], ids=str)
def test_ties_are_broken_the_same_way(sizes):
    """Where nodes look alike but are not, it does not matter which is singled out first."""
    keys = {rings(*order).key() for order in itertools.permutations(sizes)}
    assert len(keys) == 1


@pytest.mark.parametrize("length", [1, 2])
def test_ties_do_not_explode(length):
    """Twenty equal branches side by side take milliseconds, not 20! tries."""
    edges, node = [], 2
    for _ in range(20):
        names = [0, *range(node, node + length), 1]
        edges += [(a, b, "conv") for a, b in itertools.pairwise(names)]
        node += length
    start = time.perf_counter()
    Graph(("",) * node, tuple(edges), (0,), (1,)).key()
    assert time.perf_counter() - start < 1.0


def test_key_is_stable():
    """The key is a matter of record: it must not change between versions."""
    assert chain("conv", "pool").key() == "7a98856dba5ad20696cc15a74ecc156f"
    assert chain("pool", "conv").key() != chain("conv", "pool").key()


@pytest.mark.parametrize(
    ("edges", "inputs", "outputs"),
    [(((0, 5, "a"),), (0,), (1,)), ((), (-1,), (1,)), ((), (0,), (2,))],
    ids=["edge", "input", "output"],
)
def test_unknown_nodes_are_refused(edges, inputs, outputs):
    """An edge, input or output that names no node is named."""
    with pytest.raises(InputError, match="nodes 0 to 1"):
        Graph(("", ""), edges, inputs, outputs)
