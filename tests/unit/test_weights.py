"""Networks in files: exchange with the tutorials' programs, and what a file alone tells."""

import io

import pytest
import torch
from torch import nn

from dcgan_utils import runs
from dcgan_utils.drawing import plots
from dcgan_utils.networks import Discriminator, Generator
from dcgan_utils.sampling import sample_new
from dcgan_utils.weights import facts_of, load_discriminator, load_generator, save_weights


class TutorialGenerator(nn.Module):
    """The layers and names of the program that most tutorials run, 64x64 and one channel."""

    def __init__(self, nz=100, ngf=4, nc=1):
        super().__init__()
        layers = [nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False)]
        for before, after in ((8, 4), (4, 2), (2, 1)):
            layers += [nn.BatchNorm2d(ngf * before), nn.ReLU(True)]
            layers += [nn.ConvTranspose2d(ngf * before, ngf * after, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(ngf), nn.ReLU(True)]
        layers += [nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z):
        return self.main(z)


class TutorialDiscriminator(nn.Module):
    def __init__(self, ndf=4, nc=1):
        super().__init__()
        layers = [nn.Conv2d(nc, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
        for before, after in ((1, 2), (2, 4), (4, 8)):
            layers += [nn.Conv2d(ndf * before, ndf * after, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(ndf * after), nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Conv2d(ndf * 8, 1, 4, 1, 0, bias=False), nn.Sigmoid()]
        self.main = nn.Sequential(*layers)

    def forward(self, images):
        return self.main(images).view(-1)


@pytest.mark.parametrize("parallel", [False, True])
def test_weights_go_to_the_tutorials_program_and_back(tmp_path, parallel):
    z, images = torch.randn(4, 100, 1, 1), torch.rand(4, 1, 64, 64) * 2 - 1
    theirs_g, theirs_d = TutorialGenerator().eval(), TutorialDiscriminator().eval()
    for name, network in (("G.pth", theirs_g), ("D.pth", theirs_d)):
        saved = nn.DataParallel(network) if parallel else network
        torch.save(saved.state_dict(), tmp_path / name)
    ours_g = load_generator(tmp_path / "G.pth")
    ours_d = load_discriminator(tmp_path / "D.pth")
    torch.testing.assert_close(ours_g(z), theirs_g(z))
    torch.testing.assert_close(torch.sigmoid(ours_d(images)), theirs_d(images))
    back_g, back_d = TutorialGenerator().eval(), TutorialDiscriminator().eval()
    for name, ours, back in (("g", ours_g, back_g), ("d", ours_d, back_d)):
        save_weights(tmp_path / name, ours)
        back.load_state_dict(torch.load(tmp_path / name, weights_only=True))
    assert torch.equal(back_g(z), theirs_g(z)) and torch.equal(back_d(images), theirs_d(images))


def test_loaded_weights_need_no_settings(tmp_path):
    network = Generator(16, 3, 7, 5)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    (tmp_path / "G.pth").write_bytes(buffer.getvalue())
    assert load_generator(tmp_path / "G.pth").latent_size == 7


def test_facts_go_with_the_weights_and_disturb_nobody(tmp_path):
    facts = {"latent": "uniform", "leak": 0.1, "classes": ["a", "b"]}
    network = Discriminator(16, 1, 4, leak=0.1)
    save_weights(tmp_path / "D.pth", network, facts)
    assert facts_of(tmp_path / "D.pth") == facts
    loaded = load_discriminator(tmp_path / "D.pth")
    assert {m.negative_slope for m in loaded.modules() if isinstance(m, nn.LeakyReLU)} == {0.1}
    plain = torch.load(tmp_path / "D.pth", weights_only=True)
    assert list(plain) == list(network.state_dict()), "names and order of an ordinary state dict"
    Discriminator(16, 1, 4).load_state_dict(plain)


@pytest.mark.parametrize("metadata", [None, 3, {"": 3}, {"": {"dcgan": [1]}}])
def test_files_without_facts_are_loaded_with_what_is_usual(tmp_path, metadata):
    weights = Discriminator(16, 1, 4, leak=0.1).state_dict()
    weights._metadata = metadata
    torch.save(weights, tmp_path / "D.pth")
    assert facts_of(tmp_path / "D.pth") == {}
    loaded = load_discriminator(tmp_path / "D.pth")
    assert {m.negative_slope for m in loaded.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


def test_a_generator_alone_draws_from_its_own_distribution(tmp_path):
    generator, said = Generator(16, 1, 7, 5), []
    for name, facts in (("own", {"latent": "uniform"}), ("other", None)):
        save_weights(tmp_path / f"{name}.pth", generator, facts)
        runs.write_samples(
            tmp_path / f"{name}.pth", tmp_path / f"{name}.png", 9, 0, notice=said.append
        )
        latent = "uniform" if facts else "normal"
        expected = plots.mosaic_png(sample_new(generator, 9, latent, 0))
        assert (tmp_path / f"{name}.png").read_bytes() == expected
    (notice,) = said
    assert "other.pth does not say" in notice and "normal" in notice
