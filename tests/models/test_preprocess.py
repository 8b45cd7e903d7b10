"""Laws of preprocessing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.models import ResNet18_Weights

from neurosage.errors import InputError
from neurosage.models.preprocess import Preprocessing, standardise


class Pictures:
    def __init__(self, *images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def image(self, i: int) -> np.ndarray:
        return self.images[i]


def noise(*shapes: tuple[int, int]) -> Pictures:
    generator = np.random.default_rng(0)
    return Pictures(*(generator.integers(0, 256, (*s, 3), np.uint8) for s in shapes))


def test_images_keep_their_order_channels_and_values() -> None:
    """Without size, an image is itself divided by 255, channels first, whatever the chunk."""
    pictures = noise(*[(4, 6)] * 70)
    prepared = Preprocessing().apply(pictures)
    assert prepared.shape == (70, 3, 4, 6)
    assert prepared.dtype == torch.float32
    expected = np.stack(pictures.images).transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_array_equal(prepared.numpy(), expected)
    in_batches = torch.cat(list(Preprocessing().batches(pictures, batch_size=7)))
    torch.testing.assert_close(in_batches, prepared, rtol=0, atol=0)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest"])
def test_a_uniform_image_stays_uniform_at_any_size(interpolation: str) -> None:
    """Resizing makes no brightness of its own."""
    grey = Pictures(np.full((31, 17, 3), 51, np.uint8))
    prepared = Preprocessing(size=(8, 9), interpolation=interpolation).apply(grey)
    torch.testing.assert_close(prepared, torch.full((1, 3, 8, 9), 0.2))


def test_downscaling_is_antialiased_as_in_pillow() -> None:
    """Bicubic downscaling agrees with pillow's to its rounding."""
    from PIL import Image

    (image,) = noise((112, 112)).images
    ours = Preprocessing(size=(32, 32)).apply(Pictures(image))[0].permute(1, 2, 0).numpy()
    theirs = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC))
    assert np.abs(ours * 255 - theirs).max() <= 2


def test_mean_and_std_are_those_of_the_channels() -> None:
    """Each channel is shifted and scaled by its own mean and std."""
    white = Pictures(np.full((2, 2, 3), 255, np.uint8))
    prepared = Preprocessing(mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25)).apply(white)
    assert prepared[0, :, 0, 0].tolist() == [1.0, 1.0, 0.0]


def test_per_image_standardisation_leaves_mean_0_and_deviation_1() -> None:
    """Every image alone; a uniform one gives 0, not NaN."""
    prepared = Preprocessing(per_image=True).apply(noise((5, 5), (5, 5)))
    torch.testing.assert_close(prepared.flatten(1).mean(1), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(prepared.flatten(1).std(1, correction=0), torch.ones(2))
    assert standardise(torch.full((1, 3, 4, 4), 0.7)).abs().max() < 1e-5


def test_images_of_several_sizes_need_a_size() -> None:
    """The first that differs is named; with a size they pass."""
    pictures = noise((4, 4), (4, 4), (6, 4))
    with pytest.raises(InputError, match=r"number 2\s+has \(6, 4\)"):
        Preprocessing().apply(pictures)
    assert Preprocessing(size=(4, 4)).apply(pictures).shape == (3, 3, 4, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"interpolation": "bicubik"}, "did you mean 'bicubic'"),
        ({"size": (0, 4)}, "at least 1"),
        ({"std": (1.0, 0.0, 1.0)}, "std above 0"),
    ],
    ids=["interpolation", "size", "std"],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    """Before any image is read."""
    with pytest.raises(InputError, match=message):
        Preprocessing(**settings)  # type: ignore[arg-type]


def test_no_stimuli_and_wrong_shapes_are_refused() -> None:
    """An empty set, or images that are not RGB, say so."""
    with pytest.raises(InputError, match="no stimuli"):
        Preprocessing().apply(Pictures())
    with pytest.raises(InputError, match=r"shape \(n, 3, H, W\)"):
        Preprocessing().transform(torch.zeros(2, 1, 4, 4))


def test_the_key_tells_settings_apart() -> None:
    """Equal settings, equal keys; any other setting, another key."""
    assert Preprocessing(size=(4, 4)).key() == Preprocessing(size=(4, 4)).key()
    others = [Preprocessing(), Preprocessing(size=(4, 5)), Preprocessing(per_image=True)]
    assert len({p.key() for p in others}) == 3


def test_torchvision_weights_say_their_preprocessing() -> None:
    """Size of the crop, interpolation, mean and std are taken over."""
    taken = Preprocessing.from_torchvision(ResNet18_Weights.DEFAULT)
    assert taken.size == (224, 224)
    assert taken.interpolation == "bilinear"
    assert taken.mean == (0.485, 0.456, 0.406)
