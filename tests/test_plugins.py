"""Entry points: found without running code, and never two of one id."""

from __future__ import annotations

import sys

import pytest

from neurosage import plugins
from neurosage.errors import InputError

GROUP = "neurosage.tested"


def install(folder, name, *lines, group=GROUP):
    """Lay out a distribution as pip would."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
    return folder


def test_two_distributions_with_one_id_are_both_named(tmp_path, monkeypatch):
    """One id from two distributions is refused, and the message names both."""
    install(tmp_path, "lab-a", "v4 = math")
    install(tmp_path, "lab-b", "v4 = cmath")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"'v4'.*lab-a.*lab-b"):
        plugins.entry_points(GROUP)


def test_entry_points_are_sorted_and_carry_their_distribution(tmp_path, monkeypatch):
    """Ids come sorted, whatever the file's order."""
    install(tmp_path, "lab-a", "b = math", "a = math")
    monkeypatch.syspath_prepend(tmp_path)
    points = plugins.entry_points(GROUP)
    assert list(points) == ["a", "b"]
    assert plugins.distribution(points["a"]) == "lab-a"


def test_unknown_id_names_choices_and_close_matches():
    """A misspelt id gets the close match and the choices."""
    with pytest.raises(InputError, match=r"unknown explorer 'tpee'; did you mean 'tpe'"):
        plugins.load("neurosage.explorers", "tpee", "explorer")


@pytest.mark.parametrize("value", ["no_such_module", "math:no_such_function"])
def test_a_plugin_that_cannot_be_imported_names_its_distribution(tmp_path, monkeypatch, value):
    """A broken plugin is one clear error."""
    install(tmp_path, "lab-a", f"broken = {value}")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"'broken'.*lab-a.*cannot be loaded"):
        plugins.load(GROUP, "broken", "teacher")


def test_finding_a_folder_runs_no_plugin_code(tmp_path, monkeypatch):
    """The folder of a package is found though importing it would fail."""
    package = tmp_path / "explosive_teacher"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    install(tmp_path, "lab-a", "boom = explosive_teacher")
    monkeypatch.syspath_prepend(tmp_path)
    assert plugins.package_folder(plugins.entry_points(GROUP)["boom"]) == package
    assert "explosive_teacher" not in sys.modules


@pytest.mark.parametrize("value", ["math", "no.such.package", "neurosage.errors:InputError"])
def test_what_is_no_package_has_no_folder(tmp_path, monkeypatch, value):
    """Modules, callables and missing packages have no folder."""
    install(tmp_path, "lab-a", f"x = {value}")
    monkeypatch.syspath_prepend(tmp_path)
    assert plugins.package_folder(plugins.entry_points(GROUP)["x"]) is None
