"""An architecture in one line, for tables."""

from __future__ import annotations

from itertools import groupby

from neurosage.nas.space import Architecture, Space


def outline(space: Space, architecture: Architecture) -> str:
    """Write an architecture in one line: the options of each step, and what it listens to.

    Parameters
    ----------
    space : Space
        Whose choices they are.
    architecture : mapping
        One assignment to them.

    Returns
    -------
    str
        Steps divided by ``|``; within a step the options in the order of the choices,
        then ``<`` and the earlier steps listened to.

    Examples
    --------
    >>> from neurosage.nas.space import assign
    >>> from neurosage.nas.spaces.convnet import convnet_5
    >>> space = convnet_5(filters=[8])
    >>> outline(space, assign(space, lambda choice: choice.options[-1], {"layers": 2}))
    '2 | 8 7 7 2 relu batch <0 | 8 7 7 2 relu batch <0,1'
    """
    made = [choice for choice in space.choices if choice.name in architecture]
    steps = []
    for _, choices in groupby(made, key=lambda choice: choice.step):
        words, heard = [], []
        for choice in choices:
            if choice.source is None:
                words.append(str(architecture[choice.name]))
            elif architecture[choice.name]:
                heard.append(str(choice.source))
        steps.append(" ".join(words + ([f"<{','.join(heard)}"] if heard else [])))
    return " | ".join(steps)
