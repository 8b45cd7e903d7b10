"""What stimulus sets and teachers must hold."""

from __future__ import annotations

import pickle

import numpy as np

from neurosage.data.assembly import check_assembly
from neurosage.data.average import average_repetitions
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher


class StimulusSetCase:
    """What every stimulus set must hold; define `make_stimuli`."""

    def make_stimuli(self) -> StimulusSet:
        """Return the stimuli under test, loaded anew each time."""
        raise NotImplementedError("define make_stimuli")

    def test_images_are_rgb(self) -> None:
        """There is an image a row, uint8, height × width × 3."""
        stimuli = self.make_stimuli()
        assert len(stimuli.images) == len(stimuli) == len(set(stimuli.stimulus_ids)) > 0
        for i in range(len(stimuli)):
            image = stimuli.image(i)
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3

    def test_content_is_fixed(self) -> None:
        """Loading twice, and sending to another process, gives the same content."""
        stimuli = self.make_stimuli()
        assert self.make_stimuli().content_hash() == stimuli.content_hash()
        assert pickle.loads(pickle.dumps(stimuli)).content_hash() == stimuli.content_hash()

    def test_take_follows_ids(self) -> None:
        """Taking ids gives their images, in that order."""
        stimuli = self.make_stimuli()
        some = stimuli.take(list(stimuli.stimulus_ids[::-1][:3]))
        for i in range(len(some)):
            assert some.stimulus_ids[i] == stimuli.stimulus_ids[-1 - i]
            np.testing.assert_array_equal(some.image(i), stimuli.image(len(stimuli) - 1 - i))


class TeacherCase(StimulusSetCase):
    """What every teacher must hold, its stimuli included; define `make_teacher`."""

    def make_teacher(self) -> Teacher:
        """Return the teacher under test, loaded anew each time."""
        raise NotImplementedError("define make_teacher")

    def make_stimuli(self) -> StimulusSet:
        """Return the teacher's stimuli."""
        return self.make_teacher().stimuli

    def test_responses_keep_the_contract(self) -> None:
        """Each neuroid answered each stimulus at least once, or RDMs were stored."""
        teacher = self.make_teacher()
        assert teacher.id
        assert teacher.regions
        if teacher.assembly is not None:
            check_assembly(teacher.assembly)
            averaged = average_repetitions(teacher.assembly)
            lost = ~np.isfinite(averaged.values.reshape(averaged.sizes["presentation"], -1))
            names = averaged["stimulus_id"].values[lost.any(axis=1)]
            assert not len(names), f"no finite response of some neuroid to {list(names[:3])}"
        else:
            assert teacher.stored_rdms is not None
            rdms = teacher.stored_rdms.values
            np.testing.assert_allclose(rdms, rdms.swapaxes(-1, -2))

    def test_responses_match_stimuli(self) -> None:
        """Every stimulus has a response, every response a stimulus."""
        teacher = self.make_teacher()
        if teacher.assembly is not None:
            shown = set(teacher.assembly["stimulus_id"].values)
            assert shown == set(teacher.stimuli.stimulus_ids)

    def test_teacher_is_fixed(self) -> None:
        """Loading twice gives the same responses."""
        assert self.make_teacher().content_hash() == self.make_teacher().content_hash()
