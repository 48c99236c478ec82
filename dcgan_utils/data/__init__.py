"""Where images with labels come from, and the batches that training draws from them.

All images are held as one uint8 tensor at the training size, so no image is decoded or resized
twice. `sources` has one entry for each data set.
"""

from .batches import Batches
from .idx import IdxFiles, data_root
from .images import Images, fit_images, scale, unscale
from .sources import SOURCES, Source, decide, idx_source, load_images, load_source

__all__ = [
    "SOURCES",
    "Batches",
    "IdxFiles",
    "Images",
    "Source",
    "data_root",
    "decide",
    "fit_images",
    "idx_source",
    "load_images",
    "load_source",
    "scale",
    "unscale",
]
