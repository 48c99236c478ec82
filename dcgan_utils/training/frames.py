"""When a run draws its fixed latent vectors, and how the pictures are laid out."""

import torch
from torch import Tensor


def sample_steps(total: int, frames: int) -> list[int]:
    """Return the numbers of finished steps after which to draw the fixed latent vectors.

    Dense while pictures change fast, sparser later: they grow as the power 2.5. 0 and `total` are
    always among them.

    Examples
    --------
    >>> sample_steps(1000, 5)
    [0, 31, 177, 487, 1000]
    """
    places = torch.linspace(0, 1, frames, dtype=torch.float64) ** 2.5
    return sorted({round(place * total) for place in places.tolist()})


def layout(samples: int, classes: int) -> tuple[int, Tensor | None]:
    """Return how many columns a run's pictures have, and which class each image is to show.

    Without classes they are as square as can be. Otherwise each class has a row, and each column
    one latent vector; so there may be a few images less, or more if there are many classes.

    Examples
    --------
    >>> layout(8, 3)
    (2, tensor([0, 0, 1, 1, 2, 2]))
    """
    if not classes:
        return round(samples**0.5), None
    columns = max(1, samples // classes)
    return columns, torch.arange(classes).repeat_interleave(columns)
