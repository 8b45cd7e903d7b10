"""The house plan, held by tests: arrows, names, loading, packaging."""

from __future__ import annotations

import ast
import graphlib
import importlib
import inspect
import pkgutil
import shutil
import subprocess
import sys
import tomllib
import types
import zipfile
from pathlib import Path

import pytest

import neurosage as ns

ROOT = Path(__file__).parents[1]
ROOMS = ("errors", "plugins", "data", "rsa", "models", "scoring", "nas", "report", "demo", "cli")
HEAVY = (
    "torch",
    "torchvision",
    "rsatoolbox",
    "hyperopt",
    "distributed",
    "matplotlib",
    "sqlalchemy",
)


def sources() -> dict[str, Path]:
    """Module name to file, over the package and its plugin folders."""
    found = {}
    for top, package in (("neurosage", "neurosage"), ("teachers", "neurosage.teachers"),
                         ("stimuli", "neurosage.stimuli")):  # fmt: skip
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT / top).with_suffix("").parts
            name = ".".join([package, *parts]).removesuffix(".__init__")
            found[name] = path
    return found


def imports_of(path: Path, *, eager: bool = False) -> set[str]:
    """Modules of the project that a file imports, within functions too unless `eager`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if eager:
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    nodes = _module_level(tree) if eager else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {node.module or "", *(f"{node.module}.{a.name}" for a in node.names)}
    return {name for name in found if name.split(".")[0] == "neurosage"}


def _module_level(tree: ast.Module) -> list[ast.AST]:
    kept: list[ast.AST] = []
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        kept.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))
    return kept


def room(module: str) -> str | None:
    """The room of a module: the name after ``neurosage``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


MODULES = sources()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_flow_one_way(module: str) -> None:
    """A module imports its own room and the rooms before it, never a later one."""
    own = room(module)
    if own in {None, "__main__"}:
        return
    allowed = {"data", "errors", "plugins"} if own in {"teachers", "stimuli"} else None
    for name in imports_of(MODULES[module]):
        other = room(name)
        if other == own or other not in {*ROOMS, "testing"}:
            continue
        assert other != "testing", f"{module} imports testing, which nobody may"
        if allowed is not None:
            assert other in allowed, f"{module} imports {name}"
        elif own != "testing":
            assert ROOMS.index(other) < ROOMS.index(own), f"{module} imports {name}"


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if m.startswith(("neurosage.nas.explorers.", "neurosage.nas.spaces."))],
)
def test_explorers_and_spaces_know_only_their_contracts(module: str) -> None:
    """An explorer or a space imports space.py, graph.py and errors.py, never another plugin."""
    files = {name for name in imports_of(MODULES[module]) if name in MODULES}
    allowed = {"neurosage", "neurosage.nas", "neurosage.errors", "neurosage.nas.space",
               "neurosage.nas.graph"}  # fmt: skip
    assert files <= allowed, f"{module} imports {sorted(files - allowed)}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"neurosage.plugins"}))
def test_only_plugins_asks_what_is_installed(module: str) -> None:
    """No other module imports importlib.metadata."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    assert not {name for name in found if name.startswith("importlib.metadata")}


def test_no_module_waits_for_itself() -> None:
    """What modules import when they are loaded makes no cycle."""
    edges = {
        name: {other for other in imports_of(path, eager=True) if other in MODULES} - {name}
        for name, path in MODULES.items()
        if name != "neurosage"
    }
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    for name, others in edges.items():
        others -= {o for o in others if o == "neurosage" or name.startswith(o + ".")}
        others -= {p for p in packages if any(o.startswith(p + ".") for o in others)}
    graphlib.TopologicalSorter(edges).prepare()


def test_public_names_are_no_modules() -> None:
    """Importing every submodule replaces no public name by a module."""
    for info in pkgutil.walk_packages(ns.__path__, "neurosage."):
        if not info.name.endswith("__main__"):
            importlib.import_module(info.name)
    packages = [m for name, m in sys.modules.items() if name.split(".")[0] == "neurosage"]
    for package in packages:
        for name in getattr(package, "__all__", ()):
            value = getattr(package, name)
            assert not isinstance(value, types.ModuleType), f"{package.__name__}.{name}"


@pytest.mark.parametrize("name", sorted(n for n in ns.__all__ if callable(getattr(ns, n))))
def test_public_functions_are_documented(name: str) -> None:
    """A public function or class says its parameters and shows an example."""
    doc = inspect.getdoc(getattr(ns, name)) or ""
    assert doc, f"{name} has no docstring"
    if name != "NeurosageError":
        assert "Parameters\n" in doc or name.startswith("list_"), f"{name} names no parameters"
        assert ">>>" in doc, f"{name} has no example"


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after some code, run at the root."""
    script = f"{code}\nimport sys; print('MODULES', *{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.rsplit("MODULES", 1)[1].split())


def test_import_is_light() -> None:
    """``import neurosage`` loads none of the heavy packages."""
    assert not loaded_by("import neurosage; dir(neurosage)") & {*HEAVY, "pandas", "xarray"}


def test_help_is_light() -> None:
    """``neurosage --help`` answers without loading what only the work needs."""
    code = "from typer.testing import CliRunner; from neurosage.cli import app\n"
    code += "assert CliRunner().invoke(app, ['--help']).exit_code == 0"
    assert not loaded_by(code) & {*HEAVY, "pandas", "xarray", "numpy", "dask"}


def test_listing_runs_no_plugin_code() -> None:
    """Listing teachers loads no teacher's code, and no second copy of the plugin folders."""
    code = "import neurosage as ns; ns.list_teachers(); ns.list_stimuli()\n"
    code += "import sys; assert not [m for m in sys.modules if m.startswith('neurosage.teachers.')]"
    assert not loaded_by(code) & {"teachers", "stimuli", "torch"}
    used = "import neurosage as ns; ns.load_stimuli('digits')"
    assert not loaded_by(used) & {"teachers", "stimuli"}


@pytest.mark.parametrize("kind", ["teachers", "stimuli"])
def test_folders_are_entry_points(kind: str) -> None:
    """A plugin folder, its package and its entry point are one list; folder = id with _."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {p.name for p in (ROOT / kind).iterdir() if p.is_dir() and p.name[0] not in "_."}
    points = project["project"]["entry-points"][f"neurosage.{kind}"]
    assert {name.replace("-", "_").replace(".", "_") for name in points} == folders
    assert {target.rsplit(".", 1)[1] for target in points.values()} == folders
    packages = project["tool"]["setuptools"]["packages"]
    assert {p for p in packages if p.startswith(f"neurosage.{kind}.")} == set(points.values())


def test_packages_are_listed() -> None:
    """Every folder of code is a package that setuptools is told of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert set(project["tool"]["setuptools"]["packages"]) == packages


@pytest.mark.slow
def test_wheel_holds_everything(tmp_path: Path) -> None:
    """The wheel holds each module, card and README, and py.typed."""
    for name in ("neurosage", "teachers", "stimuli"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    build = "import setuptools.build_meta as b; print(b.build_wheel('.'))"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"{top}/{path.relative_to(ROOT / top).as_posix()}"
              for top in ("neurosage", "teachers", "stimuli")
              for path in (ROOT / top).rglob("*")
              if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    wanted = {f if f.startswith("neurosage/") else f"neurosage/{f}" for f in wanted}
    assert wanted <= inside, f"not in the wheel: {sorted(wanted - inside)}"
