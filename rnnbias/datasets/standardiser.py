"""The one way in which data are brought to mean 0 and standard deviation 1, and back, and there disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from systems import checks
from systems.labels import Labelled

__all__ = ["Standardiser", "stirred"]


class Standardiser(NamedTuple):
    """z = (x - mean) / scale for x (..., column), with `mean` and `scale` that broadcast over the columns.

    >>> standardise = Standardiser.of(np.array([[0.0, 1.0], [2.0, 5.0]]))
    >>> standardise.transform(np.array([2.0, 5.0]), torch.empty(0)).tolist()
    [1.0, 1.0]
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, name: str = "values", columns: Sequence[str] | None = None) -> Self:
        """Measure the columns of `values`; raises ValueError, naming the column, where one is constant to rounding."""
        axes = tuple(range(values.ndim - 1))
        mean, scale = values.mean(axes), values.std(axes)
        still = scale <= 1e-12 * np.abs(values).max(axes)
        if still.any():
            column = int(still.argmax())
            what = repr(columns[column]) if columns else f"column {column}"
            raise ValueError(f"{name} must vary, but {what} is constant: leave it out")
        return cls(mean, scale)

    @classmethod
    def shared(cls, values: np.ndarray, name: str = "values") -> Self:
        """Measure all columns of `values` together: one mean and one scale for every column."""
        together, columns = cls.of(values.reshape(-1, 1), name), values.shape[-1]
        return cls(np.repeat(together.mean, columns), np.repeat(together.scale, columns))

    def transform(self, values: np.ndarray, like: Tensor) -> Tensor:
        """From the data's units to the network's, as a tensor with the type and device of `like`."""
        return torch.as_tensor((values - self.mean) / self.scale, dtype=like.dtype, device=like.device)

    def inverse(self, standard: Tensor) -> np.ndarray:
        """From the network's units to the data's."""
        return standard.cpu().numpy() * self.scale + self.mean

    def labelled(self, dim: str, what: str, prefix: str = "") -> dict[str, Labelled]:
        """Both as labelled arrays over `dim`, named with `prefix`, to be stored."""
        return {
            f"{prefix}mean": Labelled(dim, self.mean, "1", f"mean of {what}"),
            f"{prefix}scale": Labelled(dim, self.scale, "1", f"standard deviation of {what}"),
        }

    @classmethod
    def restored(cls, stored: xr.Dataset, columns: int, prefix: str = "") -> Self:
        """Read back what `labelled` stored; raises ValueError where it is no standardiser of so many columns."""
        mean, scale = (
            checks.array(name, stored[name].values, shape=(columns,)) for name in (f"{prefix}mean", f"{prefix}scale")
        )
        if scale.min(initial=1.0) <= 0:
            raise ValueError(f"{prefix}scale must be positive")
        return cls(mean, scale)


def stirred(standard: Tensor, noise: float, seed: int) -> Tensor:
    """Standardised data with Gaussian noise of so many standard deviations; as they are where that is 0.

    >>> stirred(torch.zeros(2), 0.0, seed=0)
    tensor([0., 0.])
    """
    if not noise:
        return standard
    random = torch.Generator().manual_seed(int(seed))
    drawn = torch.randn(standard.shape, generator=random, dtype=standard.dtype)
    return standard + noise * drawn.to(standard.device)
