"""Images: their labels, how they come to the training size, and how they are scaled."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from dcgan_utils.config import UserError
from dcgan_utils.data import Images, fit_images, scale, unscale


def test_labels_go_with_their_images():
    """Each image has its label as its gray level, at any size and in both parts."""
    labels = torch.arange(10)
    pixels = labels.to(torch.uint8).reshape(10, 1, 1, 1).expand(-1, 1, 8, 8)
    images = Images(pixels, "levels", held_out=4, labels=labels, classes=tuple("abcdefghij"))
    learned, held_out = images.split()
    assert (len(learned), len(held_out)) == (6, 4)
    for part in (learned, held_out, images.fitted(16, "resize")):
        assert torch.equal(part.pixels[:, 0, 3, 3].long(), part.labels)
        assert part.classes == images.classes and part.source == "levels"


def test_images_without_labels_have_one_class():
    images = Images(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), "none")
    assert images.labels.tolist() == [0, 0, 0] and len(images.classes) == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 1], "shape.*3 images"), ([0, 1, 2], "0 to 2.*2 classes"), ([0, -1, 1], "-1")],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    pixels = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(UserError, match=message):
        Images(pixels, "wrong", labels=torch.tensor(labels), classes=("a", "b"))


@pytest.mark.parametrize("size", [32, 33, 64])
def test_pad_is_undone_by_cropping(size):
    pixels = torch.randint(1, 256, (5, 1, 28, 28), dtype=torch.uint8)
    padded = fit_images(pixels, size, "pad")
    near = (size - 28) // 2
    assert padded.shape == (5, 1, size, size)
    assert torch.equal(padded[..., near : near + 28, near : near + 28], pixels)
    assert padded.sum() == pixels.sum(), "black all around"


@pytest.mark.parametrize("shape", [(28, 28), (50, 37), (41, 90), (20, 300)])
@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_resize_is_torchvisions(shape, size, mode):
    array = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = Image.fromarray(array).convert(mode)
    steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.PILToTensor()]
    expected = transforms.Compose(steps)(image)
    ours = fit_images(transforms.PILToTensor()(image)[None], size, "resize")[0]
    assert ours.shape == expected.shape and ours.dtype == torch.uint8
    assert (ours.int() - expected.int()).abs().max() <= 1


def test_resize_of_many_images_is_that_of_each():
    pixels = torch.randint(0, 256, (5000, 1, 8, 8), dtype=torch.uint8)  # more than one chunk
    together = fit_images(pixels, 16, "resize")
    for place in (0, 4095, 4096, 4999):
        alone = fit_images(pixels[place : place + 1], 16, "resize")[0]
        assert torch.equal(together[place], alone)


def test_scale_and_unscale():
    levels = torch.arange(256, dtype=torch.uint8)
    scaled = scale(levels)
    assert scaled.dtype == torch.float32
    assert scaled[[0, 255]].tolist() == [-1, 1] and scaled.diff().min() > 0
    assert torch.equal(unscale(scaled), levels)
    assert unscale(torch.tensor([-3.0, -1.0, 0.01, 3.0])).tolist() == [0, 0, 129, 255]
