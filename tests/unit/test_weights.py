"""Networks in files: exchange with the tutorials' programs, what a file tells, what is refused."""

import pytest
import torch
from torch import nn

from dcgan_utils import judging
from dcgan_utils.config import UserError, preset
from dcgan_utils.networks import Discriminator, Generator, new_networks
from dcgan_utils.sampling import sample_new
from dcgan_utils.weights import (
    facts_of,
    load_discriminator,
    load_generator,
    network_from_weights,
    save_weights,
    trained_discriminator,
    trained_facts,
    trained_generator,
)


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


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (Discriminator(16, 3, 4, spectral_norm=True), (3, 16, 16)),
        (Discriminator(32, 1, 4, 0.2, True, classes=3, spectral_norm=True), (1, 32, 32)),
        (Discriminator(16, 1, 4, classes=7), (1, 16, 16)),  # inputs as the next layer's outputs
        (Generator(16, 3, 7, 5, classes=10), (7,)),
        (Generator(16, 3, 7, 5), (7,)),
    ],
    ids=["spectral norm", "all of D", "many labels", "conditional G", "G"],
)
def test_a_network_is_known_from_its_names_and_shapes(tmp_path, network, shape, parallel):
    inputs = torch.randn(8, *shape)
    labels = (torch.arange(8) % network.classes,) if network.classes else ()
    network(inputs, *labels)  # moves running statistics and the singular vectors
    saved = nn.DataParallel(network) if parallel else network
    torch.save(saved.state_dict(), tmp_path / "weights.pth")
    load = load_generator if isinstance(network, Generator) else load_discriminator
    loaded = load(tmp_path / "weights.pth")
    assert loaded.classes == network.classes and not loaded.training
    assert torch.equal(loaded(inputs, *labels), network.eval()(inputs, *labels))


def test_facts_go_with_the_weights_and_disturb_nobody(tmp_path):
    facts = {"latent": "uniform", "leak": 0.1, "classes": ["a", "b"]}
    network = Discriminator(16, 1, 4, leak=0.1)
    save_weights(tmp_path / "D.pth", network, facts)
    assert facts_of(tmp_path / "D.pth") == facts
    assert slopes(load_discriminator(tmp_path / "D.pth")) == {0.1}
    plain = torch.load(tmp_path / "D.pth", weights_only=True)
    assert list(plain) == list(network.state_dict()), "names and order of an ordinary state dict"
    Discriminator(16, 1, 4).load_state_dict(plain)


@pytest.mark.parametrize("metadata", [{}, {"": {"version": 1}}])
def test_files_without_facts_are_loaded_with_what_is_usual(tmp_path, metadata):
    weights = Discriminator(16, 1, 4, leak=0.1).state_dict()
    weights._metadata = metadata
    torch.save(weights, tmp_path / "D.pth")
    assert facts_of(tmp_path / "D.pth") == {}
    assert slopes(load_discriminator(tmp_path / "D.pth")) == {0.2}


def test_loading_leaves_the_sessions_random_numbers_alone():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    trained_generator()
    assert torch.equal(torch.get_rng_state(), state)


def slopes(network):
    return {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)}


# What is refused

CONDITIONAL = Generator(16, 1, 10, 4, classes=3).state_dict()
with torch.device("meta"):
    GIANT = Generator(16, 1, 10, 10**6).state_dict()  # of 128 TB
ODD = {
    "a list": [torch.zeros(2, 2, 4, 4)],
    "no names": {3: torch.zeros(2, 2, 4, 4)},
    "nested": {"state_dict": CONDITIONAL},
    "no tensors": {"main.0.weight": 3.0},
    "40 layers": {f"main.{place}.weight": torch.zeros(2, 2, 4, 4) for place in range(40)},
    "giant": {name: torch.zeros(()).expand(value.shape) for name, value in GIANT.items()},
    "empty": {f"main.{place}.weight": torch.zeros(0, 0, 0, 0) for place in (0, 3, 6)},
    "whole numbers": {name: value.long() for name, value in CONDITIONAL.items()},
    "a layer missing": {name: v for name, v in CONDITIONAL.items() if name != "main.4.bias"},
    "NaN": CONDITIONAL | {"main.0.weight": CONDITIONAL["main.0.weight"] * torch.nan},
    "sparse": CONDITIONAL | {"main.0.weight": CONDITIONAL["main.0.weight"].to_sparse()},
    "no values": CONDITIONAL | {"main.0.weight": CONDITIONAL["main.0.weight"].to("meta")},
    "another network": Discriminator(16, 1, 4).state_dict(),
} | {
    f"{classes} classes": CONDITIONAL | {"number_of_classes": torch.tensor(classes)}
    for classes in (torch.nan, torch.inf, -1.0, 0.0, 2.5, 1e30, [1.0, 2.0])
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_files_are_refused_by_name(tmp_path, kind):
    torch.save(ODD[kind], tmp_path / "G.pth")
    with pytest.raises(UserError, match=r"G\.pth"):
        load_generator(tmp_path / "G.pth")


def test_the_first_name_that_does_not_fit_is_said():
    other = CONDITIONAL | {"main.4.bias": torch.zeros(3)}
    with pytest.raises(UserError, match=r"main\.4\.bias is \(3,\), expected \(4,\)"):
        network_from_weights(other)


# The networks that ship with the package


def test_the_trained_networks_are_a_classroom_runs_and_draw_as_well_as_they_say():
    facts, networks = trained_facts(), (trained_generator(), trained_discriminator())
    for network, made in zip(networks, new_networks(preset("classroom"), 1, 10, torch.Generator())):
        made.load_state_dict(network.state_dict())  # the same names and shapes
        assert all(value.dtype == torch.float32 for value in network.parameters())
    pixels = judging.to_judged_size(sample_new(networks[0], 5000, facts["latent"], seed=1), "pad")
    metrics = {"distance": judging.METRICS["distance"]}
    found = judging.measure(judging.classify(pixels), judging.stored_reference(), metrics)
    assert abs(found["distance"] - facts["distance"]) < 1.0  # theirs is of 10,000 samples
    assert (networks[1](torch.rand(8, 1, 32, 32) * 2 - 1) < 0).all()  # noise is no digit
