"""Entry points: found without running code, and never two of one id."""

from __future__ import annotations

import sys
from pathlib import Path

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


@pytest.mark.parametrize("value", ["no_such_module", "math:no_such_function", "labpkg.teach"])
def test_a_plugin_that_cannot_be_imported_names_its_distribution(tmp_path, monkeypatch, value):
    """A broken plugin is one clear error, whatever its code raises."""
    lay_out(tmp_path, "labpkg", "labpkg/teach")
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


def lay_out(folder, *packages):
    """Write packages; the outermost one raises when it is imported."""
    for name in packages:
        (folder / name).mkdir(parents=True)
    (folder / packages[0] / "__init__.py").write_text("raise RuntimeError('imported')\n")
    return folder / packages[-1]


@pytest.mark.parametrize(
    "packages", [("labpkg", "labpkg/teach"), ("labpkg", "labpkg/a", "labpkg/a/b")]
)
@pytest.mark.parametrize("initialised", [True, False], ids=["packages", "namespaces"])
def test_finding_a_folder_below_runs_no_parent_s_code(tmp_path, monkeypatch, packages, initialised):
    """A package within a package is found though importing its parent would fail."""
    folder = lay_out(tmp_path, *packages)
    for package in packages[1:] if initialised else ():
        (tmp_path / package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    install(tmp_path, "lab-a", f"boom = {packages[-1].replace('/', '.')}")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    assert plugins.package_folder(plugins.entry_points(GROUP)["boom"]) == folder
    assert not {name for name in set(sys.modules) - before if name.startswith("labpkg")}


def test_finding_is_where_importing_would_look():
    """Of our own packages, the folder found is that of the module imported."""
    for group in ("neurosage.teachers", "neurosage.stimuli"):
        for id_, point in plugins.entry_points(group).items():
            module = plugins.load(group, id_, "plugin")
            assert plugins.package_folder(point) == Path(module.__file__).parent


def test_a_finder_that_fails_names_the_distribution(tmp_path, monkeypatch):
    """A third party's import hook that raises is one clear error."""

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "hooked":
                raise RuntimeError("hook")

    install(tmp_path, "lab-a", "x = hooked")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(InputError, match=r"'hooked'.*lab-a.*RuntimeError: hook"):
        plugins.package_folder(plugins.entry_points(GROUP)["x"])


@pytest.mark.parametrize("value", ["math", "no.such.package", "neurosage.errors:InputError"])
def test_what_is_no_package_has_no_folder(tmp_path, monkeypatch, value):
    """Modules, callables and missing packages have no folder."""
    install(tmp_path, "lab-a", f"x = {value}")
    monkeypatch.syspath_prepend(tmp_path)
    assert plugins.package_folder(plugins.entry_points(GROUP)["x"]) is None
