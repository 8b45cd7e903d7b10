"""Where a network can run on this machine."""

from __future__ import annotations

import torch

from neurosage.errors import unknown


def check_device(device: str | torch.device | None) -> None:
    """Refuse a device that this machine does not have.

    Called before anything is loaded or trained, wherever a device is named.

    Parameters
    ----------
    device : str or torch.device, optional
        Such as ``"cpu"`` or ``"cuda:0"``; None is where the network is already.

    Raises
    ------
    InputError
        With the devices that there are.

    Examples
    --------
    >>> check_device("cpu")
    """
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    there = ["cpu", *(["cuda"] if gpus else []), *gpus]
    there += ["mps"] if torch.backends.mps.is_available() else []
    if device is not None and str(device) not in there:
        raise unknown("device", str(device), there)
