"""Laws of finding networks and loading weights."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from neurosage.errors import FetchError, InputError, MissingExtraError
from neurosage.models.preprocess import Preprocessing
from neurosage.models.source import Model, as_model, load_model
from neurosage.models.weights import load_weights

NET = """
from torch import nn
from neurosage.models.preprocess import Preprocessing
def make(): return nn.Sequential(nn.Linear(2, 3))
def pair(): return make(), Preprocessing(size=(8, 8))
def broken(): raise KeyError("no such thing")
def text(): return "net"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "net.py"
    path.write_text(NET)
    return str(path)


def test_a_function_in_a_file_makes_the_network(file: str) -> None:
    """Alone, or with its preprocessing; in evaluation mode; the same for the same seed."""
    made = load_model(f"{file}:make")
    assert made.id == f"{file}:make"
    assert not made.module.training
    assert made.preprocessing == Preprocessing()
    assert load_model(f"{file}:pair").preprocessing.size == (8, 8)
    assert load_model(f"{file}:make").weights_hash == made.weights_hash
    assert load_model(f"{file}:make", seed=1).weights_hash != made.weights_hash


def test_loading_leaves_the_random_state_alone(file: str) -> None:
    """A seed for a network's weights is not the caller's seed."""
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_model(f"{file}:make", seed=9)
    assert torch.rand(1) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("resnet50", "is not understood; give one of torchvision:NAME"),
        ("torchvision:resnet51", "unknown torchvision model 'resnet51'; did you mean 'resnet5"),
        ("nowhere.py:make", "there is no file nowhere.py"),
        ("{file}:mak", "did you mean 'make'"),
        ("{file}:broken", "failed: KeyError"),
        ("{file}:text", "must return a torch.nn.Module, .* but returned str"),
        ("{file}", "is not understood"),
    ],
)
def test_sources_that_are_none_say_why(file: str, source: str, message: str) -> None:
    """Each wrong source names the value and the choices."""
    with pytest.raises(InputError, match=message):
        load_model(source.format(file=file))


def test_only_networks_are_networks() -> None:
    """A module is wrapped, a Model kept, anything else refused."""
    model = Model(nn.Flatten())
    assert as_model(model) is model
    assert as_model(nn.Flatten()).id == "Flatten"
    with pytest.raises(InputError, match="not int"):
        as_model(3)  # type: ignore[arg-type]


def test_pixels_answer_with_the_image_and_have_no_weights() -> None:
    """The identity; weights for it are a mistake."""
    image = torch.rand(1, 3, 4, 4)
    assert torch.equal(load_model("pixels").module(image), image)
    with pytest.raises(InputError, match="pixels have no weights"):
        load_model("pixels", "w.pt")


def test_a_model_is_shown_in_a_line() -> None:
    """Its name, its size and its weights; not all its layers."""
    shown = repr(Model(torch.nn.Linear(3, 5), id="small", weights="untrained"))
    assert shown == "<Model small: 20 parameters, weights: untrained>"


def test_torchvision_without_weights_is_untrained_and_seeded() -> None:
    """It says so, takes the published preprocessing, and refuses unknown weights."""
    model = load_model("torchvision:squeezenet1_1", seed=4)
    assert model.weights == "untrained (seed 4)"
    assert model.preprocessing.size == (224, 224)
    with pytest.raises(InputError, match=r"Choices: DEFAULT, IMAGENET1K_V1\. Or"):
        load_model("torchvision:squeezenet1_1", "IMAGENET")


def test_a_download_that_fails_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without network the weights are named."""
    from torchvision import models

    def offline(name: str, weights: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(models, "get_model", offline)
    with pytest.raises(FetchError, match="IMAGENET1K_V1 could not be downloaded: no network"):
        load_model("torchvision:squeezenet1_1", "DEFAULT")


def test_timm_names_the_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without timm, how to have it."""
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match="pip install timm"):
        load_model("timm:nasnetalarge")


def test_timm_says_the_preprocessing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Size, interpolation, mean and std come from the network's data configuration."""
    config = {"input_size": (3, 9, 9), "interpolation": "bicubic", "mean": (0.5,) * 3}
    fake = ModuleType("timm")
    vars(fake).update(
        list_models=lambda: ["tiny"],
        create_model=lambda name, pretrained: nn.Linear(2, 2),
        data=SimpleNamespace(resolve_model_data_config=lambda m: {**config, "std": (0.5,) * 3}),
    )
    monkeypatch.setitem(sys.modules, "timm", fake)
    assert load_model("timm:tiny").preprocessing.size == (9, 9)
    assert load_model("timm:tiny", "pretrained").weights == "timm pretrained"
    with pytest.raises(InputError, match="did you mean 'tiny'"):
        load_model("timm:tinny")


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module."])
def test_weights_load_from_checkpoints_of_any_wrapping(
    tmp_path: Path, wrapper: str | None, prefix: str
) -> None:
    """Wrappers and prefixes that training scripts leave are dropped."""
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    held = {f"{prefix}{key}": value for key, value in source.state_dict().items()}
    torch.save(held if wrapper is None else {wrapper: held, "epoch": 3}, tmp_path / "w.pt")
    load_weights(target, tmp_path / "w.pt")
    assert torch.equal(source.weight, target.weight)


def test_weights_that_do_not_fit_change_nothing_and_are_named(tmp_path: Path) -> None:
    """Missing, unexpected and misshapen weights, each by name and shape."""
    torch.save({"weight": torch.zeros(4, 2), "scale": torch.zeros(1)}, tmp_path / "w.pt")
    net = nn.Linear(2, 3)
    before = net.weight.clone()
    with pytest.raises(InputError) as caught:
        load_weights(net, tmp_path / "w.pt")
    assert "1 missing (bias)" in str(caught.value)
    assert "1 unexpected (scale)" in str(caught.value)
    assert "weight (4, 2) for (3, 2)" in str(caught.value)
    assert torch.equal(net.weight, before)


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this file was run",)


@pytest.mark.parametrize("content", ["pickle", "text", "empty", "list", "numbers"])
def test_files_that_hold_no_weights_are_refused_and_not_run(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No pickle from outside is executed; anything but tensors is named."""
    path = tmp_path / "w.pt"
    if content == "pickle":
        path.write_bytes(pickle.dumps(Harmful()))
    elif content in ("text", "empty"):
        path.write_text("hello" if content == "text" else "")
    else:
        torch.save([torch.zeros(1)] if content == "list" else {"epoch": 3}, path)
    with pytest.raises(InputError, match=r"plain weights|not a dict|no tensors"):
        load_weights(nn.Linear(2, 3), path)
    assert "run" not in capsys.readouterr().out


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path that was given, and what to give instead."""
    with pytest.raises(InputError, match=r"there is no file of weights .*w\.pt; give the path"):
        load_weights(nn.Linear(2, 3), tmp_path / "w.pt")
