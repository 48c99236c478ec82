"""The second judge knows digits, and sees what is wrong with bad ones."""

import pytest
import torch

from dcgan_utils.data import fit_images, load_source, scale
from experiments import classifier, second_judge
from experiments.second_judge import second_distance, stored


def test_it_knows_digits_and_orders_what_is_known_to_be_worse():
    images = load_source("embedded")  # none of which it learned from
    pixels, labels = images.pixels, images.labels
    with torch.no_grad():
        assert (stored()[0](scale(pixels)).argmax(1) == labels).float().mean() > 0.98
    real = second_distance(pixels)
    small_blur = second_distance(fit_images(fit_images(pixels, 32, "resize"), 28, "resize"))
    noise = torch.randint(0, 256, pixels.shape, generator=torch.Generator().manual_seed(0))
    worst = second_distance(noise.to(torch.uint8))
    assert 0 <= real < min(small_blur, second_distance(pixels[labels != 9]))
    assert small_blur < worst


@pytest.mark.parametrize("judge", [classifier, second_judge], ids=["first", "second"])
def test_a_judge_follows_from_its_seed_alone(judge):
    images = load_source("embedded")
    pixels, labels = images.pixels[::20], images.labels[::20]
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)  # the global state, which nothing may draw from
        states.append(judge.train(pixels, labels).state_dict().values())
    assert all(map(torch.equal, *states))
