"""When the fixed latent vectors are drawn, for the animation and the filmstrip."""

import torch


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
