"""Teachers' stimuli as networks take them, kept between candidates within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from neurosage.data.stimuli import StimulusSet
from neurosage.models.preprocess import Preprocessing
from neurosage.nas.trainer import memory_format

MOST = 1024 * 2**20
LARGEST = 512 * 2**20
BATCH = 64


@dataclass(frozen=True, eq=False)
class Inputs:
    """A teacher's stimuli as a network takes them.

    Parameters
    ----------
    stimuli : StimulusSet
        The images.
    preprocessing : Preprocessing
        What prepares them.
    tensor : torch.Tensor, shape (n, 3, height, width), optional
        Prepared and kept, where there is room for it.
    content_hash : str
        Of the stimuli.
    """

    stimuli: StimulusSet
    preprocessing: Preprocessing
    tensor: torch.Tensor | None
    content_hash: str

    def batches(self, device: str | torch.device) -> Iterator[torch.Tensor]:
        """Give float32 (at most 64, 3, height, width), in the device's faster layout."""
        if self.tensor is None:
            parts: Iterable[torch.Tensor] = self.preprocessing.batches(self.stimuli, BATCH)
        else:
            parts = torch.split(self.tensor, BATCH)
        layout = memory_format(device)
        return (part.to(device=device, memory_format=layout) for part in parts)


class KeptInputs:
    """Inputs prepared before, by content; those unused for longest make room for new ones.

    Parameters
    ----------
    most : int
        Bytes of all tensors together.
    largest : int
        Bytes of a tensor. What is larger, or finds no room beside others asked for with
        it, is prepared batch by batch whenever it is shown.

    Examples
    --------
    >>> KeptInputs(most=1000).held
    0
    """

    def __init__(self, most: int = MOST, largest: int = LARGEST) -> None:
        self._most, self._largest = most, largest
        self._kept: dict[tuple[str, str], torch.Tensor] = {}

    @property
    def held(self) -> int:
        """Bytes held."""
        return sum(tensor.nbytes for tensor in self._kept.values())

    def get(self, sets: Sequence[StimulusSet], preprocessing: Preprocessing) -> list[Inputs]:
        """Return inputs for each stimulus set; equal ones share one tensor.

        Parameters
        ----------
        sets : sequence of StimulusSet
            Shown to one network, so that none of them makes room for another.
        preprocessing : Preprocessing
            What prepares them.

        Returns
        -------
        list of Inputs
            In the order of `sets`.
        """
        keys = [(stimuli.content_hash(), preprocessing.key()) for stimuli in sets]
        for key in keys:
            if key in self._kept:  # the last of a dict was used last
                self._kept[key] = self._kept.pop(key)
        for key, stimuli in zip(keys, sets, strict=True):
            needed = _bytes(stimuli, preprocessing)
            if key not in self._kept and needed <= self._largest and self._room(needed, keys):
                self._kept[key] = preprocessing.apply(stimuli)
        return [
            Inputs(stimuli, preprocessing, self._kept.get(key), key[0])
            for key, stimuli in zip(keys, sets, strict=True)
        ]

    def _room(self, needed: int, wanted: Sequence[tuple[str, str]]) -> bool:
        others = [key for key in self._kept if key not in wanted]
        if needed + self.held - sum(self._kept[key].nbytes for key in others) > self._most:
            return False
        while needed + self.held > self._most:
            del self._kept[others.pop(0)]
        return True


def _bytes(stimuli: StimulusSet, preprocessing: Preprocessing) -> int:
    height, width = preprocessing.size or stimuli.image(0).shape[:2]
    return len(stimuli) * 3 * int(height) * int(width) * 4
