"""Latent vectors and what is drawn from them."""

import pytest
import torch

from dcgan_utils.config import UserError
from dcgan_utils.networks import Generator, initialize_weights
from dcgan_utils.sampling import draw_latents, evaluating, sample, sample_new


@pytest.fixture
def generator():
    generator = Generator(16, 1, 8, 4, classes=3)
    initialize_weights(generator, torch.Generator().manual_seed(0), 0.2)
    return generator


def test_latents_are_of_the_named_distribution():
    random = torch.Generator().manual_seed(0)
    normal = draw_latents(1000, 100, "normal", random)
    assert normal.shape == (1000, 100)
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02
    uniform = draw_latents(1000, 100, "uniform", random)
    assert -1 <= uniform.min() < -0.999 and 0.999 < uniform.max() <= 1
    assert abs(uniform.std() - 3**-0.5) < 0.01
    with pytest.raises(UserError, match="'gauss'.*normal or uniform"):
        draw_latents(1, 1, "gauss", random)


def test_each_image_depends_on_its_own_vector_and_label_alone(generator):
    z = draw_latents(501, 8, "normal", torch.Generator().manual_seed(0))  # more than one batch
    labels = torch.arange(501) % 3
    state = [value.clone() for value in generator.state_dict().values()]
    images = sample(generator, z, labels)
    assert images.shape == (501, 1, 16, 16) and images.dtype == torch.uint8
    assert torch.equal(images[[7, 500]], sample(generator, z[[7, 500]], labels[[7, 500]]))
    assert torch.equal(sample_new(generator, 501, "normal", 0), images), "classes in turn"
    assert all(map(torch.equal, state, generator.state_dict().values()))


def test_each_module_is_in_its_own_mode_again_also_after_an_error(generator):
    generator.main[1].eval()  # one batch norm alone, as when layers are frozen
    modes = [module.training for module in generator.modules()]
    for images in (torch.zeros(2, 8), torch.zeros(2, 9)):  # the second ones do not fit
        try:
            sample(generator, images, torch.tensor([0, 1]))
        except RuntimeError:
            assert images.shape[1] == 9
        assert [module.training for module in generator.modules()] == modes
    with pytest.raises(KeyError), evaluating(generator):
        assert not any(module.training for module in generator.modules())
        raise KeyError
    assert [module.training for module in generator.modules()] == modes
