"""Random search and TPE: what they propose, and that it is HyperOpt's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from neurosage.errors import InputError
from neurosage.nas.catalogue import list_explorers, list_spaces, make_explorer, make_space
from neurosage.nas.explorers.random import RandomExplorer
from neurosage.nas.explorers.tpe import TPEExplorer
from neurosage.nas.graph import Graph
from neurosage.nas.space import Choice, Observation, assign, draw, seen_keys, to_json
from neurosage.nas.spaces.convnet import convnet_5, convnet_10

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
OPERATIONS = ("none", "skip", "conv1", "conv3", "pool")


@dataclass(frozen=True)
class Cell:
    """Six edges between four nodes, each with one of five operations."""

    name: str = "cell"

    @property
    def choices(self):
        return tuple(Choice(f"{a}-{b}", OPERATIONS, "operation", b) for a, b in EDGES)

    def graph(self, architecture):
        chosen = [(a, b, architecture[f"{a}-{b}"]) for a, b in EDGES]
        edges = tuple(edge for edge in chosen if edge[2] != "none")
        return Graph(("add",) * 4, edges, (0,), (3,)).prune()

    def score(self, architecture):
        """A made-up accuracy with a known best, 6: conv3 everywhere but on the long edges."""
        wanted = ("conv3", "conv3", "conv3", "skip", "skip", "conv3")
        chosen = [architecture[f"{a}-{b}"] for a, b in EDGES]
        return float(sum(x == y for x, y in zip(chosen, wanted, strict=True)))


@dataclass(frozen=True)
class Tiny:
    """Three networks in all."""

    name: str = "tiny"
    choices: tuple[Choice, ...] = (Choice("operation", ("a", "b", "c"), "operation"),)

    def graph(self, architecture):
        return Graph(("", ""), ((0, 1, architecture["operation"]),), (0,), (1,))


def run(explorer, space, count, score):
    history = []
    for k in range(count):
        architecture = explorer.propose(space, history, (), seed=1000 + k)
        key = space.graph(architecture).key()
        history.append(Observation(architecture, key, score(architecture)))
    return history


def random_history(space, count, seed=0):
    rng = np.random.default_rng(seed)
    drawn = [draw(space, rng) for _ in range(count)]
    return [Observation(a, space.graph(a).key(), float(rng.random())) for a in drawn]


def hyperopt_choice(expression, history, seed, draws, running=()):
    """What HyperOpt itself suggests for this search space, as a reference."""
    from hyperopt import tpe
    from hyperopt.base import Domain, Trials, miscs_update_idxs_vals

    domain, trials = Domain(lambda _: 0.0, expression), Trials()
    past = [(each.architecture, each.score) for each in history]
    for tid, (indices, score) in enumerate([*past, *((each, None) for each in running)]):
        misc = {"tid": tid, "cmd": None, "workdir": None}
        held = {name: [value] for name, value in indices.items()}
        miscs_update_idxs_vals(
            [misc],
            {name: [tid] if name in held else [] for name in domain.params},
            {name: held.get(name, []) for name in domain.params},
        )
        result = {"status": "ok", "loss": -score} if score is not None else {"status": "new"}
        (document,) = trials.new_trial_docs([tid], [None], [result], [misc])
        document["state"] = 2 if score is not None else 1
        trials.insert_trial_doc(document)
    trials.refresh()
    tid = len(past) + len(running)
    (document,) = tpe.suggest([tid], domain, trials, seed, n_EI_candidates=draws, verbose=False)
    return {name: value[0] for name, value in document["misc"]["vals"].items() if value}


def indices(space, architecture):
    return {
        c.name: c.options.index(architecture[c.name])
        for c in space.choices
        if c.name in architecture
    }


def as_indices(space, history):
    return [Observation(indices(space, p.architecture), p.key, p.score) for p in history]


@pytest.mark.parametrize("count", [20, 60, 130])
def test_tpe_is_hyperopt(count):
    """Where the network is new, the proposal is the one HyperOpt makes from that seed."""
    from hyperopt import hp

    space, compared = Cell(), 0
    expression = {c.name: hp.choice(c.name, list(c.options)) for c in space.choices}
    history = random_history(space, count)
    seen = {past.key for past in history}
    for seed in range(12):
        expected = hyperopt_choice(expression, as_indices(space, history), seed, 3)
        theirs = assign(space, lambda c, x=expected: c.options[x[c.name]])
        if space.graph(theirs).key() not in seen:
            assert TPEExplorer(draws=3).propose(space, history, (), seed) == theirs
            compared += 1
    assert compared >= 6


def test_tpe_is_hyperopt_with_running_and_failed():
    """Running and failed candidates enter as HyperOpt's do: with infinite loss."""
    from hyperopt import hp

    space = Cell()
    expression = {c.name: hp.choice(c.name, list(c.options)) for c in space.choices}
    history = random_history(space, 40)
    history[5] = Observation(history[5].architecture, history[5].key, None)
    running = [past.architecture for past in random_history(space, 30, seed=1)]
    held, positions = as_indices(space, history), [indices(space, each) for each in running]
    compared = changed = 0
    for seed in range(8):
        expected = hyperopt_choice(expression, held, seed, 3, positions)
        theirs = assign(space, lambda c, x=expected: c.options[x[c.name]])
        if space.graph(theirs).key() not in seen_keys(space, history, running):
            assert TPEExplorer(draws=3).propose(space, history, running, seed) == theirs
            compared += 1
            changed += expected != hyperopt_choice(expression, held, seed, 3)
    assert compared >= 4
    assert changed >= 1


def test_tpe_is_hyperopt_on_conditional_choices():
    """Choices that exist only for some depths are modelled as HyperOpt's nested ones."""
    from hyperopt import hp

    space = convnet_5((8, 16, 32))
    nodes = {c.name: hp.choice(c.name, list(c.options)) for c in space.choices[1:]}
    branches = [
        {c.name: nodes[c.name] for c in space.choices[1:] if c.step <= depth}
        for depth in range(1, 6)
    ]
    expression = hp.choice("layers", branches)
    history = random_history(space, 60)
    # so many draws that the best option is always among them, whatever the order of draws
    expected = hyperopt_choice(expression, as_indices(space, history), 0, 400)
    found = TPEExplorer(draws=400).propose(space, history, (), seed=0)
    assert indices(space, found) == expected


def test_tpe_never_repeats_on_a_small_space():
    """150 candidates in a row on 6 edges of 5 operations are 150 networks."""
    space = Cell()
    history = run(TPEExplorer(), space, 150, space.score)
    assert len({past.key for past in history}) == 150


def test_tpe_beats_random_search():
    """With equal candidates, TPE's best and mean are better than random search's."""
    space = Cell()
    tpe = [past.score for past in run(TPEExplorer(), space, 80, space.score)]
    chance = [past.score for past in run(RandomExplorer(), space, 80, space.score)]
    assert max(tpe) == 6.0
    assert np.mean(tpe[20:]) > np.mean(chance[20:]) + 1


def test_tpe_starts_at_random():
    """The first `random_starts` candidates do not look at scores; running ones count."""
    space = Cell()
    history = random_history(space, 9)
    other = [Observation(p.architecture, p.key, -p.score) for p in history]
    pending = [random_history(space, 1, seed=5)[0].architecture]
    explorer = TPEExplorer(random_starts=10, draws=400)

    def same(pending):
        return explorer.propose(space, history, pending, 1) == explorer.propose(
            space, other, pending, 1
        )

    assert same([])
    assert not same(pending)


@pytest.mark.parametrize("count", [10, 100])
def test_tpe_at_once(count):
    """Four proposals made at once, each seeing the others running, are four networks."""
    space = convnet_10()
    history, pending = random_history(space, count), []
    explorer = TPEExplorer(random_starts=10)
    for seed in range(4):
        pending.append(explorer.propose(space, history, tuple(pending), seed))
    assert len({space.graph(each).key() for each in pending}) == 4


def test_tpe_keeps_no_memory():
    """What an explorer proposed for another space, order or score changes nothing."""
    used, space = TPEExplorer(), convnet_5((8, 16, 32))
    other = convnet_5((32, 16, 8))
    history = random_history(space, 40)
    used.propose(other, history, (), seed=3)
    used.propose(space, history[::-1], (), seed=3)
    turned = [Observation(p.architecture, p.key, 1 - p.score) for p in history]
    used.propose(space, turned, (), seed=3)
    assert used.propose(space, history, (), 3) == TPEExplorer().propose(space, history, (), 3)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), None], ids=str)
def test_scores_that_are_no_numbers_are_failures(score):
    """NaN and infinite scores count as failed candidates, not as the best."""
    space, history = Cell(), random_history(Cell(), 40)
    history[3] = Observation(history[3].architecture, history[3].key, score)
    failed = list(history)
    failed[3] = Observation(history[3].architecture, history[3].key, None)
    found = TPEExplorer().propose(space, history, (), 1)
    assert found == TPEExplorer().propose(space, failed, (), 1)


@pytest.mark.parametrize("explorer", [RandomExplorer(), TPEExplorer(random_starts=2)], ids=repr)
def test_small_spaces_are_exhausted_then_repeated(explorer):
    """Every network of a space is found before one is repeated; then repeats come."""
    history = run(explorer, Tiny(), 5, lambda architecture: 1.0)
    keys = [past.key for past in history]
    assert len(set(keys[:3])) == 3
    assert set(keys[3:]) <= set(keys[:3])


def test_random_search_ignores_scores():
    """Random search is the same whatever came out."""
    space, history = Cell(), random_history(Cell(), 30)
    failed = [Observation(p.architecture, p.key, None) for p in history]
    found = [RandomExplorer().propose(space, past, (), 7) for past in (history, failed)]
    assert to_json(found[0]) == to_json(found[1])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (TPEExplorer, {"random_starts": -1}, "random_starts must be"),
        (TPEExplorer, {"gamma": 0.0}, "gamma must be"),
        (TPEExplorer, {"gamma": float("nan")}, "gamma must be"),
        (TPEExplorer, {"draws": 0}, "draws must be"),
        (TPEExplorer, {"random_starts": "ten"}, "random_starts must be"),
        (TPEExplorer, {"draws": 2.5}, "draws must be"),
        (RandomExplorer, {"tries": 0}, "tries must be"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(make, options, message):
    """An option out of its range is named with its value."""
    with pytest.raises(InputError, match=message):
        make(**options)


def test_catalogue_lists():
    """What is built in is registered."""
    assert {"convnet-5", "convnet-10", "convnet-20"} <= set(list_spaces())
    assert {"random", "tpe"} <= set(list_explorers())


@pytest.mark.parametrize("name", ["convnet-5", "convnet-10", "convnet-20"])
def test_catalogue_makes_spaces(name):
    """A space is made by its id, with options as a TOML file gives them."""
    space = make_space(name, {"filters": [8, 16]})
    assert space.name == name
    assert space.choices[1].options == (8, 16)
    assert make_space(name).choices[1].options == (32, 64, 128)


def test_catalogue_makes_explorers():
    """An explorer is made by its id, with options."""
    assert make_explorer("tpe", {"random_starts": 5}) == TPEExplorer(random_starts=5)
    assert make_explorer("random") == RandomExplorer()


@pytest.mark.parametrize(
    ("make", "name", "options", "message"),
    [
        (make_space, "convnet-15", {}, r"unknown space 'convnet-15'; did you mean 'convnet-"),
        (make_explorer, "tpee", {}, r"unknown explorer 'tpee'; did you mean 'tpe'"),
        (make_space, "convnet-5", {"filter": [8]}, r"option of space convnet-5 'filter'; did you"),
        (make_explorer, "tpe", {"random_start": 3}, r"did you mean 'random_starts'"),
        (make_space, "convnet-5", {"filters": 8}, r"filters must be"),
        (make_space, "convnet-5", {"filters": ["8"]}, r"filters must be"),
    ],
    ids=["space", "explorer", "space-option", "explorer-option", "no-list", "text"],
)
def test_catalogue_refuses(make, name, options, message):
    """Unknown ids and options are named with close matches; wrong values with the rule."""
    with pytest.raises(InputError, match=message):
        make(name, options)
