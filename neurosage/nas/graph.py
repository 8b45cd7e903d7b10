"""What a network really is, and the key that tells two networks apart.

Nodes are tensors, edges carry the operation that is applied on the way. Two
architectures with one key build the same network, so a search evaluates it once.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from neurosage.errors import InputError

Edge: TypeAlias = tuple[int, int, str]
_Colours: TypeAlias = list[int]
_Neighbours: TypeAlias = list[list[tuple[int, int]]]
_Certificate: TypeAlias = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Graph:
    """A network as labelled edges between nodes.

    Parameters
    ----------
    nodes : tuple of str
        One label a node: how what arrives is joined, such as ``"concat"`` or
        ``"add"``. The order of the nodes means nothing.
    edges : tuple of (int, int, str)
        Source, target and operation. Equal edges count as often as they occur.
    inputs, outputs : tuple of int
        The nodes that images enter and that answers leave; their order matters.

    Raises
    ------
    InputError
        If an edge, input or output names a node that is not there.

    Examples
    --------
    >>> one = Graph(("", "", ""), ((0, 1, "conv"), (1, 2, "pool")), (0,), (2,))
    >>> two = Graph(("", "", ""), ((2, 0, "conv"), (0, 1, "pool")), (2,), (1,))
    >>> one.key() == two.key()
    True
    """

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __post_init__(self) -> None:
        named = {*self.inputs, *self.outputs, *(end for edge in self.edges for end in edge[:2])}
        if wrong := sorted(node for node in named if not 0 <= node < len(self.nodes)):
            raise InputError(
                f"the graph has nodes 0 to {len(self.nodes) - 1}, but its edges, inputs or "
                f"outputs name {wrong[:5]}."
            )

    def prune(self) -> Graph:
        """Drop what no image reaches and what reaches no answer.

        Returns
        -------
        Graph
            Nodes on a path from an input to an output, renumbered in order, and the
            edges between them. Inputs and outputs are kept even where unused.

        Examples
        --------
        >>> Graph(("", "", "dead"), ((0, 1, "conv"), (0, 2, "conv")), (0,), (1,)).prune().nodes
        ('', '')
        """
        forward = _reach(self.inputs, ((a, b) for a, b, _ in self.edges))
        backward = _reach(self.outputs, ((b, a) for a, b, _ in self.edges))
        live = forward & backward
        kept = sorted(live | {*self.inputs, *self.outputs})
        place = {node: i for i, node in enumerate(kept)}
        return Graph(
            tuple(self.nodes[node] for node in kept),
            tuple((place[a], place[b], x) for a, b, x in self.edges if a in live and b in live),
            tuple(place[node] for node in self.inputs),
            tuple(place[node] for node in self.outputs),
        )

    def key(self) -> str:
        """Hash the pruned graph: equal for equal networks, however they are numbered.

        Returns
        -------
        str
            32 hexadecimal digits.

        Notes
        -----
        Node colours are refined by the labelled edges in both directions to a fixed
        point; where nodes still tie, each is singled out in turn and the smallest
        outcome kept. Branches that an automorphism maps onto one another are
        recognised by their first leaf and followed once.
        """
        graph = self.prune()
        operations = sorted({operation for _, _, operation in graph.edges})
        colours = _ranks(_roles(graph))
        certificate = _Canon(graph, operations).smallest(colours)
        roles = sorted(_roles(graph))
        text = json.dumps([roles, operations, certificate], separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _reach(starts: Iterable[int], steps: Iterable[tuple[int, int]]) -> set[int]:
    following: dict[int, list[int]] = {}
    for a, b in steps:
        following.setdefault(a, []).append(b)
    reached: set[int] = set()
    waiting = list(starts)
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting.extend(following.get(node, ()))
    return reached


def _roles(graph: Graph) -> list[tuple[str, list[int], list[int]]]:
    """Say of each node its label and which inputs and outputs it is."""
    return [
        (
            label,
            [i for i, other in enumerate(graph.inputs) if other == node],
            [i for i, other in enumerate(graph.outputs) if other == node],
        )
        for node, label in enumerate(graph.nodes)
    ]


def _ranks(values: Sequence[Any]) -> _Colours:
    """Number equal values alike, in their order, each by how many are smaller."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    for place, (last, node) in enumerate(pairwise(order), start=1):
        ranks[node] = ranks[last] if values[node] == values[last] else place
    return ranks


class _Canon:
    """Finds the numbering of one graph whose list of edges is smallest."""

    def __init__(self, graph: Graph, operations: list[str]) -> None:
        rank = {operation: i for i, operation in enumerate(operations)}
        self.edges = [(a, b, rank[operation]) for a, b, operation in graph.edges]
        self.before: _Neighbours = [[] for _ in graph.nodes]
        self.after: _Neighbours = [[] for _ in graph.nodes]
        for a, b, operation in self.edges:
            self.after[a].append((operation, b))
            self.before[b].append((operation, a))

    def smallest(self, colours: _Colours) -> _Certificate:
        """Return the smallest certificate below these colours."""
        colours = self._refine(colours)
        tied = _first_tie(colours)
        if not tied:
            return self._certificate(colours)
        leaves: set[_Certificate] = set()
        found: list[_Certificate] = []
        for node in tied:
            branch = _single_out(colours, node)
            leaf = self._first_leaf(branch)
            if leaf not in leaves:
                leaves.add(leaf)
                found.append(self.smallest(branch))
        return min(found)

    def _first_leaf(self, colours: _Colours) -> _Certificate:
        colours = self._refine(colours)
        while tied := _first_tie(colours):
            colours = self._refine(_single_out(colours, tied[0]))
        return self._certificate(colours)

    def _refine(self, colours: _Colours) -> _Colours:
        while True:
            tied = _shared(colours)
            finer = _ranks(
                [self._signature(i, colours) if c in tied else (c,) for i, c in enumerate(colours)]
            )
            if finer == colours:
                return colours
            colours = finer

    def _signature(self, node: int, colours: _Colours) -> tuple[Any, ...]:
        after = sorted((operation, colours[other]) for operation, other in self.after[node])
        before = sorted((operation, colours[other]) for operation, other in self.before[node])
        return colours[node], after, before

    def _certificate(self, colours: _Colours) -> _Certificate:
        return tuple(sorted((colours[a], colours[b], operation) for a, b, operation in self.edges))


def _shared(colours: _Colours) -> set[int]:
    return {colour for colour, count in Counter(colours).items() if count > 1}


def _first_tie(colours: _Colours) -> list[int]:
    counts: dict[int, list[int]] = {}
    for node, colour in enumerate(colours):
        counts.setdefault(colour, []).append(node)
    ties = [(len(nodes), colour) for colour, nodes in counts.items() if len(nodes) > 1]
    return counts[min(ties)[1]] if ties else []


def _single_out(colours: _Colours, node: int) -> _Colours:
    """Put `node` before the others of its colour."""
    return [c + (c == colours[node] and i != node) for i, c in enumerate(colours)]
