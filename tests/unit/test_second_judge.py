"""The second judge knows digits, and sees what is wrong with bad ones."""

import pytest
import torch

from dcgan_utils.data import fit_images, load_source, scale
from experiments import classifier, second_judge
from experiments.second_judge import second_distance, stored


def test_it_knows_digits():
    images = load_source("embedded")
    network, _ = stored()
    with torch.no_grad():
        answers = network(scale(images.pixels)).argmax(1)
    # the embedded digits are none of those that it learned from
    assert (answers == images.labels).float().mean() > 0.98


def test_its_distance_orders_what_is_known_to_be_worse():
    pixels = load_source("embedded").pixels
    real = second_distance(pixels)
    small_blur = second_distance(fit_images(fit_images(pixels, 32, "resize"), 28, "resize"))
    without_a_class = second_distance(pixels[:4500])  # they are sorted by class
    noise = torch.randint(0, 256, pixels.shape, generator=torch.Generator().manual_seed(0))
    worst = second_distance(noise.to(torch.uint8))
    assert 0 <= real < min(small_blur, without_a_class)
    assert max(small_blur, without_a_class) < worst


@pytest.mark.parametrize("judge", [classifier, second_judge], ids=["first", "second"])
def test_a_judge_follows_from_its_seed_alone(judge):
    images = load_source("embedded")
    pixels, labels = images.pixels[::20], images.labels[::20]
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)  # the global state, which nothing may draw from
        states.append(judge.train(pixels, labels).state_dict().values())
    assert all(map(torch.equal, *states))
