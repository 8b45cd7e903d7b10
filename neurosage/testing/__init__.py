"""The contracts as tests: subclass a case, say how yours is made, run pytest.

Each case has one ``make_…`` method to define; pytest then collects its tests::

    class TestMySpace(SpaceCase):
        def make_space(self):
            return MySpace()
"""

from neurosage.testing.data import StimulusSetCase, TeacherCase
from neurosage.testing.nas import ExplorerCase, SpaceCase
from neurosage.testing.rsa import BackendCase

__all__ = ["BackendCase", "ExplorerCase", "SpaceCase", "StimulusSetCase", "TeacherCase"]
