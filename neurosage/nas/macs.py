"""What a network costs, counted without running it."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


def count_macs(module: nn.Module, image: tuple[int, int, int]) -> tuple[int, int]:
    """Count multiply-accumulates for one image, and parameters.

    The forward pass runs on tensors without data, so that a network far too large to
    train is counted as fast as a small one; build it under ``torch.device("meta")``
    and not even its weights are allocated. Convolutions, linear layers, matrix
    products and attention count; biases, normalisations and pooling do not.

    Parameters
    ----------
    module : torch.nn.Module
        Left as it is: training mode, buffers and device.
    image : tuple of int
        Channels, height and width in pixels.

    Returns
    -------
    macs : int
        Multiply-accumulates of one forward pass of one image.
    parameters : int
        Numbers to be learnt.

    Examples
    --------
    >>> count_macs(nn.Conv2d(3, 8, 3, padding=1, bias=False), (3, 32, 32))
    (221184, 216)
    """
    modes = {each: each.training for each in module.modules()}
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    empty = {name: torch.empty_like(t, device="meta") for name, t in tensors.items()}
    counter = FlopCounterMode(display=False)
    try:
        module.eval()
        with torch.no_grad(), torch.device("meta"), counter:
            functional_call(module, empty, (torch.empty((1, *image), device="meta"),))
    finally:
        for each, training in modes.items():
            each.training = training
    return counter.get_total_flops() // 2, sum(p.numel() for p in module.parameters())
