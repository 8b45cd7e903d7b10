"""The default backend, on PyTorch."""

from neurosage.rsa.backends.torch.backend import TorchBackend

__all__ = ["TorchBackend"]
