"""Score the CIFAR-10 ResNets of He et al. (2016) against recordings.

The networks are those of section 4.2 of the paper, with parameter-free ("option
A") shortcuts. Weights that fit are published in akamaster/pytorch_resnet_cifar10,
folder pretrained_models. From the root of the project, with the recordings of V4 in
a folder that NEUROSAGE_MIRROR names, and the path of the downloaded weights:

    neurosage score examples/cifar_resnet.py:resnet56 --teacher macaque-v4 \
        --weights path/to/resnet56-4bfd9763.th --layers layer1,layer2,layer3

Run as a script, it scores an untrained ResNet-20 against the simulated macaque.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

import neurosage as ns
from neurosage.models.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

PREPROCESSING = Preprocessing(size=(32, 32), mean=IMAGENET_MEAN, std=IMAGENET_STD)


class Block(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.padding = (channels - channels_in) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, self.padding, self.padding))
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + shortcut)


class CifarResNet(nn.Module):
    def __init__(self, blocks: int, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, 1, blocks)
        self.layer2 = self._stage(16, 32, 2, blocks)
        self.layer3 = self._stage(32, 64, 2, blocks)
        self.linear = nn.Linear(64, classes)

    @staticmethod
    def _stage(channels_in: int, channels: int, stride: int, blocks: int) -> nn.Sequential:
        later = [Block(channels, channels, 1) for _ in range(blocks - 1)]
        return nn.Sequential(Block(channels_in, channels, stride), *later)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def resnet20() -> tuple[nn.Module, Preprocessing]:
    return CifarResNet(blocks=3), PREPROCESSING


def resnet56() -> tuple[nn.Module, Preprocessing]:
    return CifarResNet(blocks=9), PREPROCESSING


if __name__ == "__main__":
    torch.manual_seed(0)
    network, preprocessing = resnet20()
    layers = ["layer1", "layer2", "layer3"]
    print(ns.score(network, "simulated-macaque", layers, preprocessing=preprocessing).to_frame())
