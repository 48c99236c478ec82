"""Batches: each image as often as it should be, in an order that follows from seed and step."""

import random

import pytest
import torch

from dcgan_utils.config import UserError
from dcgan_utils.data import Batches, Images, unscale

CPU = torch.device("cpu")


def numbered(count: int, repeats: int = 1) -> Images:
    """Images of one pixel each, whose gray level is their number."""
    return Images(torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1), "numbers", repeats)


def drawn(batches: Batches, steps: range) -> list[int]:
    return unscale(torch.cat([batches.batch(step)[0] for step in steps])).flatten().tolist()


@pytest.mark.parametrize("repeats", [1, 3])
def test_an_epoch_shows_each_image_once_per_repeat(repeats):
    batches = Batches(numbered(200, repeats), 20, seed=0, device=CPU)
    assert batches.per_epoch == 10 * repeats
    for repeat in range(2 * repeats):  # two epochs
        shown = drawn(batches, range(10 * repeat, 10 * repeat + 10))
        assert sorted(shown) == list(range(200)) and shown != list(range(200))


def test_partial_batch_is_dropped():
    assert Batches(numbered(70), 32, 0, CPU).per_epoch == 2
    assert Batches(numbered(70, repeats=3), 32, 0, CPU).per_epoch == 6
    assert len(drawn(Batches(numbered(70), 32, 0, CPU), range(5))) == 5 * 32


def test_batch_is_scaled_and_of_the_right_shape():
    images = Images(torch.randint(0, 256, (9, 3, 16, 16), dtype=torch.uint8), "noise")
    batch, labels = Batches(images, 4, 0, CPU).batch(0)
    assert labels.shape == (4,) and batch.shape == (4, 3, 16, 16) and batch.dtype == torch.float32
    assert -1 <= batch.min() < -0.9 and 0.9 < batch.max() <= 1


def test_order_follows_from_seed_and_step_alone():
    in_order = drawn(Batches(numbered(100), 10, 7, CPU), range(40))
    steps = list(range(40))
    random.Random(0).shuffle(steps)
    batches = Batches(numbered(100), 10, 7, CPU)
    for step in steps:
        assert drawn(batches, range(step, step + 1)) == in_order[10 * step : 10 * step + 10]


def test_every_seed_and_epoch_has_its_own_order():
    orders = set()
    for seed in (0, 1, 2, 3, 2**30, 2**31 - 1):
        batches = Batches(numbered(50), 50, seed, CPU)
        orders |= {tuple(drawn(batches, range(epoch, epoch + 1))) for epoch in range(4)}
    assert len(orders) == 24


def test_global_random_state_is_untouched_and_unused():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = drawn(Batches(numbered(100), 10, 7, CPU), range(25))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert drawn(Batches(numbered(100), 10, 7, CPU), range(25)) == first


def test_batch_larger_than_the_data_is_refused():
    assert Batches(numbered(50), 50, 0, CPU).per_epoch == 1
    with pytest.raises(UserError, match="batch_size is 51.*allowed: 1 to 50.*smaller"):
        Batches(numbered(50, repeats=39), 51, 0, CPU)


def test_a_batch_brings_the_labels_of_its_images():
    labels = torch.arange(100)
    pixels = labels.to(torch.uint8).view(-1, 1, 1, 1)
    images = Images(pixels, "numbers", labels=labels, classes=tuple(map(str, labels.tolist())))
    batches = Batches(images, 10, 3, CPU)
    for number in (0, 7, 12):
        drawn_images, drawn_labels = batches.batch(number)
        assert torch.equal(unscale(drawn_images).flatten().long(), drawn_labels)
