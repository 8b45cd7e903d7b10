"""Products summed over blocks of stimuli: in the points' precision, now and then in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from neurosage.rsa.backends.torch.factored import BLOCK

# Rows multiplied before what they add up to goes into the float64 total.
ROWS = 1 << 16


class Product:
    """``Σ x_i y_iᵀ``, growing.

    Parameters
    ----------
    shape : tuple of (int, int)
        Neuroids of both sides.
    dtype : torch.dtype
        Precision of the products.
    device : torch.device
        Where they are made.

    Examples
    --------
    >>> product = Product((1, 2), torch.float32, torch.device("cpu"))
    >>> product.add(torch.tensor([[2.0], [1.0]]), torch.tensor([[1.0, 3.0], [0.0, 1.0]]))
    >>> product.total().tolist()
    [[2.0, 7.0]]
    """

    def __init__(self, shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> None:
        self.shape = shape
        self._part = torch.zeros(shape, dtype=dtype, device=device)
        self._rows = 0
        self._total: Tensor | None = None

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add the product of some rows, shapes (r, p) and (r, q)."""
        if self._rows + len(x) > ROWS and self._part.dtype != torch.float64:
            self._total = self.total()
            self._part.zero_()
            self._rows = 0
        self._part.addmm_(x.T, y)
        self._rows += len(x)

    def total(self) -> Tensor:
        """Return the sum, float64, shape (p, q)."""
        part = self._part.double()
        return part if self._total is None else self._total + part


class UpperProduct:
    """``Σ x_i x_iᵀ`` on and above the diagonal, growing.

    Parameters
    ----------
    width : int
        Neuroids.
    dtype : torch.dtype
        Precision of the products.
    device : torch.device
        Where they are made.

    Examples
    --------
    >>> product = UpperProduct(2, torch.float64, torch.device("cpu"))
    >>> product.add(torch.tensor([[1.0, 2.0], [3.0, 4.0]]).double())
    >>> product.centred_squares(torch.zeros(2).double(), 2)
    (892.0, 0.0)
    """

    def __init__(self, width: int, dtype: torch.dtype, device: torch.device) -> None:
        self._starts = range(0, width, BLOCK)
        self._width = width
        self._parts = [
            Product((min(BLOCK, width - start), width - start), dtype, device)
            for start in self._starts
        ]

    def add(self, x: Tensor) -> None:
        """Add the product of some rows with themselves, shape (r, p)."""
        for start, part in zip(self._starts, self._parts, strict=True):
            part.add(x[:, start : start + BLOCK], x[:, start:])

    def centred_squares(self, shift: Tensor, n: int) -> tuple[float, float]:
        """Return ``‖P‖²`` and ``δᵀPδ`` of ``P = Σ x_i x_iᵀ - n δδᵀ``.

        Parameters
        ----------
        shift : Tensor of float64, shape (p,)
            δ, the mean of the n rows.
        n : int
            How many rows there were.

        Returns
        -------
        tuple of (float; float)
            Both sums.
        """
        squares = along = 0.0
        for start, part in zip(self._starts, self._parts, strict=True):
            stop = min(start + BLOCK, self._width)
            rows, columns = shift[start:stop], shift[start:]
            block = part.total().sub_(n * torch.outer(rows, columns))
            projected = rows @ block
            along += float(2.0 * projected @ columns - projected[: stop - start] @ rows)
            totals = block.square_().sum(0)
            squares += float(2.0 * totals.sum() - totals[: stop - start].sum())
        return squares, along
