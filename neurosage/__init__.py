"""Teachers for neural networks: recordings of a visual system that guide a search.

A *teacher* is a set of images and what a visual system answered to them; an
architecture search listens to it. Everything named in ``__all__`` is public and
loads what it needs when it is first used.

Examples
--------
>>> import neurosage as ns
>>> a = ns.assembly([[1.0, 2.0], [3.0, 4.0]], stimulus_id=["cat", "dog"], region="V4")
>>> ns.select(a, stimulus_id="dog").values
array([[3., 4.]])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurosage.data.assembly import assembly, select
    from neurosage.data.average import average_repetitions, average_time
    from neurosage.data.cards.new_card import write_card
    from neurosage.data.registry import (
        list_stimuli,
        list_teachers,
        load_stimuli,
        load_teacher,
        register_teacher,
    )
    from neurosage.data.spikes import count_spikes
    from neurosage.data.stimuli import StimulusSet
    from neurosage.data.teacher import Teacher
    from neurosage.errors import NeurosageError
    from neurosage.models.preprocess import Preprocessing
    from neurosage.models.record import record
    from neurosage.models.source import load_model
    from neurosage.nas.search import resume, search
    from neurosage.report.check import check
    from neurosage.report.mds_plots import plot_mds
    from neurosage.report.profile_plots import plot_profiles
    from neurosage.report.rdm_plots import plot_rdms
    from neurosage.report.region_plots import plot_regions
    from neurosage.report.similarity_plots import plot_similarity
    from neurosage.rsa.ceilings.ceiling import noise_ceiling
    from neurosage.rsa.ceilings.noise_corrected import noise_corrected
    from neurosage.rsa.inference.bootstrap import bootstrap_similarity
    from neurosage.rsa.inference.cross_fitted import cross_fitted_similarity
    from neurosage.rsa.inference.mantel import mantel_test
    from neurosage.rsa.inference.paired import compare_models
    from neurosage.rsa.rdm import rdms
    from neurosage.rsa.reliability.curves import reliability_curve
    from neurosage.rsa.reliability.neuroids import BRAIN_SCORE, reliability
    from neurosage.rsa.reliability.regions import rdm_reliability
    from neurosage.rsa.reliability.selecting import select_reliable
    from neurosage.rsa.similarity import similarity
    from neurosage.scoring.network import score
    from neurosage.scoring.result import Score

__version__ = "0.1.0"

__all__ = [
    "BRAIN_SCORE",
    "NeurosageError",
    "Preprocessing",
    "Score",
    "StimulusSet",
    "Teacher",
    "assembly",
    "average_repetitions",
    "average_time",
    "bootstrap_similarity",
    "check",
    "compare_models",
    "count_spikes",
    "cross_fitted_similarity",
    "list_stimuli",
    "list_teachers",
    "load_model",
    "load_stimuli",
    "load_teacher",
    "mantel_test",
    "noise_ceiling",
    "noise_corrected",
    "plot_mds",
    "plot_profiles",
    "plot_rdms",
    "plot_regions",
    "plot_similarity",
    "rdm_reliability",
    "rdms",
    "record",
    "register_teacher",
    "reliability",
    "reliability_curve",
    "resume",
    "score",
    "search",
    "select",
    "select_reliable",
    "similarity",
    "write_card",
]

_MODULES = {
    "neurosage.errors": ("NeurosageError",),
    "neurosage.data.assembly": ("assembly", "select"),
    "neurosage.data.average": ("average_repetitions", "average_time"),
    "neurosage.data.registry": (
        "list_stimuli",
        "list_teachers",
        "load_stimuli",
        "load_teacher",
        "register_teacher",
    ),
    "neurosage.data.cards.new_card": ("write_card",),
    "neurosage.data.spikes": ("count_spikes",),
    "neurosage.data.stimuli": ("StimulusSet",),
    "neurosage.data.teacher": ("Teacher",),
    "neurosage.models.preprocess": ("Preprocessing",),
    "neurosage.models.record": ("record",),
    "neurosage.models.source": ("load_model",),
    "neurosage.nas.search": ("resume", "search"),
    "neurosage.report.check": ("check",),
    "neurosage.report.mds_plots": ("plot_mds",),
    "neurosage.report.profile_plots": ("plot_profiles",),
    "neurosage.report.rdm_plots": ("plot_rdms",),
    "neurosage.report.region_plots": ("plot_regions",),
    "neurosage.report.similarity_plots": ("plot_similarity",),
    "neurosage.rsa.ceilings.ceiling": ("noise_ceiling",),
    "neurosage.rsa.reliability.curves": ("reliability_curve",),
    "neurosage.rsa.ceilings.noise_corrected": ("noise_corrected",),
    "neurosage.rsa.inference.bootstrap": ("bootstrap_similarity",),
    "neurosage.rsa.inference.cross_fitted": ("cross_fitted_similarity",),
    "neurosage.rsa.inference.mantel": ("mantel_test",),
    "neurosage.rsa.inference.paired": ("compare_models",),
    "neurosage.rsa.rdm": ("rdms",),
    "neurosage.rsa.reliability.regions": ("rdm_reliability",),
    "neurosage.rsa.reliability.neuroids": ("BRAIN_SCORE", "reliability"),
    "neurosage.rsa.reliability.selecting": ("select_reliable",),
    "neurosage.rsa.similarity": ("similarity",),
    "neurosage.scoring.network": ("score",),
    "neurosage.scoring.result": ("Score",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neurosage' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
