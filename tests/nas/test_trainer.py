"""The training loop keeps its budget, its randomness and its promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neurosage.errors import InputError
from neurosage.nas.batches import Batches, preprocessing_of
from neurosage.nas.datasets import DataSpec, ImageData, load_data
from neurosage.nas.recipes import Recipe, get_recipe
from neurosage.nas.trainer import TrainingDiverged, accuracy, train


@pytest.fixture(autouse=True)
def one_thread() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return load_data(DataSpec("digits", train=192, valid=100)).train


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 10),
        )


def numbered(n: int, size: int = 4) -> ImageData:
    """Images whose pixels tell which image and which place they are."""
    pixels = np.arange(n * size * size, dtype=np.int64).reshape(n, 1, size, size) % 251 + 1
    images = np.repeat(pixels, 3, axis=1).astype(np.uint8)
    return ImageData(images, np.arange(n), tuple(map(str, range(n))))


def state(model: nn.Module) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in model.state_dict().values()]


def test_training_learns_digits(digits: ImageData) -> None:
    """A few epochs on digits beat chance by far, and the loss falls."""
    net, recipe = network(), get_recipe("digits")
    result = train(net, digits, recipe, epochs=8)
    assert result.losses[-3:].mean() < 0.5 * result.losses[:3].mean()
    assert accuracy(net, digits, recipe) > 0.7


@pytest.mark.parametrize(
    ("budget", "steps", "examples"),
    [({"epochs": 2}, 6, 384), ({"steps": 4}, 4, 256), ({"steps": 0}, 0, 0), ({"epochs": 0}, 0, 0)],
)
def test_the_budget_is_kept(
    digits: ImageData, budget: dict[str, int], steps: int, examples: int
) -> None:
    """Steps and examples are those asked for; each step is reported, and the start."""
    calls: list[tuple[int, int]] = []
    result = train(
        network(), digits, get_recipe("digits"), on_step=lambda *call: calls.append(call), **budget
    )
    assert (result.steps, result.examples, len(result.losses)) == (steps, examples, steps)
    assert calls == [(step, steps) for step in range(steps + 1)]


def test_no_steps_leave_the_network_untrained(digits: ImageData) -> None:
    """Not even batch statistics change."""
    net = network()
    before = state(net)
    train(net, digits, get_recipe("digits"), steps=0)
    assert all(torch.equal(a, b) for a, b in zip(before, state(net), strict=True))


def test_the_same_seed_gives_the_same_bits(digits: ImageData) -> None:
    """Weights after training are equal to the last bit; with another seed they differ."""
    nets = [network() for _ in range(3)]
    for net, seed in zip(nets, (5, 5, 6), strict=True):
        train(net, digits, get_recipe("digits", flip=True), steps=5, seed=seed)
    first, again, other = map(state, nets)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_training_does_not_touch_the_global_generator(digits: ImageData) -> None:
    """Seeds are arguments."""
    before = torch.get_rng_state()
    train(network(), digits, get_recipe("digits"), steps=2)
    assert torch.equal(before, torch.get_rng_state())


def test_an_epoch_sees_each_image_once() -> None:
    """Also where the last batch is short."""
    batches = Batches(numbered(10), Recipe("r", batch=4, pad=0, flip=False), seed=0, device="cpu")
    epoch = [batches.next()[1] for _ in range(batches.per_epoch)]
    assert [len(labels) for labels in epoch] == [4, 4, 2]
    assert sorted(torch.cat(epoch).tolist()) == list(range(10))


def test_a_single_image_left_over_is_left_out() -> None:
    """It would have no batch statistics."""
    batches = Batches(numbered(9), Recipe("r", batch=4), seed=0, device="cpu")
    assert [len(batches.next()[1]) for _ in range(4)] == [4, 4, 4, 4]


def test_crops_and_flips_are_those_of_the_padded_image() -> None:
    """Every image is one of the 9 crops of its padded self, or its mirror image; all occur."""
    data = numbered(6)
    batches = Batches(data, Recipe("r", batch=6, pad=1), seed=1, device="cpu")
    batches.transform = lambda images: images  # type: ignore[method-assign]
    padded = np.pad(data.images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    seen = set()
    for _ in range(100):
        for image, label in zip(*batches.next(), strict=True):
            views = {
                (y, x, f): padded[label, :, y : y + 4, x : x + 4][..., :: -1 if f else 1]
                for y in range(3)
                for x in range(3)
                for f in (False, True)
            }
            found = [key for key, view in views.items() if np.array_equal(view, image)]
            assert len(found) == 1
            seen.add(found[0])
    assert len(seen) == 18


def test_without_augmentation_images_are_as_in_validation() -> None:
    """No padding and no flip: only the scaling of the recipe."""
    data, recipe = numbered(4), Recipe("r", batch=4, pad=0, flip=False)
    images, labels = Batches(data, recipe, seed=0, device="cpu").next()
    expected = preprocessing_of(recipe, (4, 4)).transform(torch.from_numpy(data.images))
    torch.testing.assert_close(images, expected[labels])


def test_scaling_without_per_image_statistics_is_to_minus_one_to_one() -> None:
    """Black is -1, white 1."""
    transform = preprocessing_of(Recipe("r", per_image=False), (2, 2)).transform
    values = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 2, 2)
    assert transform(values)[:, 0, 0, 0].tolist() == [-1.0, 1.0]


def test_the_learning_rate_falls_every_so_many_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the recipe's factor, counted in epochs whatever the batch."""
    rates: list[float] = []
    step = torch.optim.SGD.step

    def spy(self: torch.optim.SGD, *args: object) -> object:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", spy)
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 8))
    recipe = Recipe("r", batch=4, lr=0.1, lr_drop_epochs=2)
    train(net, numbered(8), recipe, epochs=6)
    assert rates == pytest.approx([0.1] * 4 + [0.01] * 4 + [0.001] * 4)


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    """With the step in the message."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 8))
    nn.init.constant_(net[1].weight, float("nan"))
    with pytest.raises(TrainingDiverged, match="nan at step 1 of 3"):
        train(net, numbered(8), Recipe("r", batch=4), steps=3)


class Oracle(nn.Module):
    """Knows the labels of some images."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits, self.at = logits, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.at += len(images)
        return self.logits[self.at - len(images) : self.at]


def test_accuracy_counts_every_image_once() -> None:
    """Three of five are right, over batches of two; NaN logits count as wrong."""
    logits = torch.eye(5)
    logits[[1, 2]] = logits[[2, 1]]
    model = Oracle(logits)
    assert accuracy(model, numbered(5), Recipe("r"), batch_size=2) == 0.6
    assert model.training
    logits[0, 0] = float("nan")
    assert accuracy(Oracle(logits), numbered(5), Recipe("r"), batch_size=2) == 0.4


def test_wrong_calls_are_refused(digits: ImageData) -> None:
    """Budgets, devices, too few images."""
    with pytest.raises(InputError, match="one of them"):
        train(network(), digits, get_recipe("digits"))
    with pytest.raises(InputError, match="one of them"):
        train(network(), digits, get_recipe("digits"), epochs=1, steps=1)
    with pytest.raises(InputError, match="at least 0 steps"):
        train(network(), digits, get_recipe("digits"), steps=-1)
    with pytest.raises(InputError, match="at least 2 images"):
        train(network(), numbered(1), get_recipe("digits"), steps=1)
