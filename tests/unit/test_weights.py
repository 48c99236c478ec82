"""Networks in files: exchange with the tutorials' programs, what a file tells, what is refused."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from dcgan_utils import judging, weights
from dcgan_utils.config import UserError, preset
from dcgan_utils.networks import Discriminator, Generator, new_networks
from dcgan_utils.sampling import sample_new
from dcgan_utils.weights import facts_of, load_discriminator, load_generator, save_weights


def tutorial(*layers):
    """Return a network of the program that most tutorials run, with its layers and names."""
    return nn.Sequential(OrderedDict(main=nn.Sequential(*layers))).eval()


def tutorial_generator(nz=100, ngf=4):
    layers = [nn.ConvTranspose2d(nz, ngf * 8, 4, 1, 0, bias=False)]
    for before, after in ((8, 4), (4, 2), (2, 1), (1, 0)):
        layers += [nn.BatchNorm2d(ngf * before), nn.ReLU(True)]
        layers += [nn.ConvTranspose2d(ngf * before, ngf * after or 1, 4, 2, 1, bias=False)]
    return tutorial(*layers, nn.Tanh())


def tutorial_discriminator(ndf=4):
    layers = [nn.Conv2d(1, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for before, after in ((1, 2), (2, 4), (4, 8)):
        layers += [nn.Conv2d(ndf * before, ndf * after, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(ndf * after), nn.LeakyReLU(0.2, inplace=True)]
    layers += [nn.Conv2d(ndf * 8, 1, 4, 1, 0, bias=False), nn.Sigmoid(), nn.Flatten(0)]
    return tutorial(*layers)


def test_weights_go_to_the_tutorials_program_and_back(tmp_path):
    z, images = torch.randn(4, 100, 1, 1), torch.rand(4, 1, 64, 64) * 2 - 1
    theirs_g, theirs_d = tutorial_generator(), tutorial_discriminator()
    for name, network in (("G.pth", theirs_g), ("D.pth", theirs_d)):
        torch.save(network.state_dict(), tmp_path / name)
    ours_g = load_generator(tmp_path / "G.pth")
    ours_d = load_discriminator(tmp_path / "D.pth")
    assert torch.allclose(ours_g(z), theirs_g(z), atol=1e-5)
    assert torch.allclose(torch.sigmoid(ours_d(images)), theirs_d(images), atol=1e-5)
    back_g, back_d = tutorial_generator(), tutorial_discriminator()
    for name, ours, back in (("g", ours_g, back_g), ("d", ours_d, back_d)):
        save_weights(tmp_path / name, ours)
        back.load_state_dict(torch.load(tmp_path / name, weights_only=True))
    assert torch.equal(back_g(z), theirs_g(z)) and torch.equal(back_d(images), theirs_d(images))


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (Discriminator(16, 3, 4, spectral_norm=True), (3, 16, 16)),
        (Discriminator(32, 1, 4, 0.2, True, classes=3, spectral_norm=True), (1, 32, 32)),
        (Discriminator(16, 1, 4, classes=7), (1, 16, 16)),  # inputs as the next layer's outputs
        (Generator(16, 3, 7, 5, classes=10), (7,)),
    ],
)
def test_a_network_is_known_from_its_names_and_shapes(tmp_path, network, shape):
    inputs = torch.randn(8, *shape)
    labels = (torch.arange(8) % network.classes,) if network.classes else ()
    network(inputs, *labels)  # moves running statistics and the singular vectors
    torch.save(nn.DataParallel(network).state_dict(), tmp_path / "weights.pth")
    load = load_generator if isinstance(network, Generator) else load_discriminator
    loaded = load(tmp_path / "weights.pth")
    assert loaded.classes == network.classes and not loaded.training
    assert torch.equal(loaded(inputs, *labels), network.eval()(inputs, *labels))


def test_facts_go_with_the_weights_and_disturb_nobody(tmp_path):
    """Where there are none, what is usual is taken."""
    facts = {"latent": "uniform", "leak": 0.1, "classes": ["a", "b"]}
    network = Discriminator(16, 1, 4, leak=0.1)
    save_weights(tmp_path / "D.pth", network, facts)
    torch.save(network.state_dict(), tmp_path / "plain.pth")
    for name, expected, leak in (("D.pth", facts, 0.1), ("plain.pth", {}, 0.2)):
        assert facts_of(tmp_path / name) == expected
        layers = load_discriminator(tmp_path / name).main
        assert {m.negative_slope for m in layers if isinstance(m, nn.LeakyReLU)} == {leak}
        state = torch.load(tmp_path / name, weights_only=True)
        assert list(state) == list(network.state_dict()), "an ordinary state dict"


CONDITIONAL = Generator(16, 1, 10, 4, classes=3).state_dict()
with torch.device("meta"):
    GIANT = Generator(16, 1, 10, 10**6).state_dict()  # of 128 TB
ODD = {
    "a list": [torch.zeros(2, 2, 4, 4)],
    "no names": {3: torch.zeros(2, 2, 4, 4)},
    "no tensors": {"main.0.weight": 3.0},
    "40 layers": {f"main.{place}.weight": torch.zeros(2, 2, 4, 4) for place in range(40)},
    "giant": {name: torch.zeros(()).expand(value.shape) for name, value in GIANT.items()},
    "empty": {f"main.{place}.weight": torch.zeros(0, 0, 0, 0) for place in (0, 3, 6)},
    "a layer missing": {name: v for name, v in CONDITIONAL.items() if name != "main.4.bias"},
    "NaN": CONDITIONAL | {"main.0.weight": CONDITIONAL["main.0.weight"] * torch.nan},
    "sparse": CONDITIONAL | {"main.0.weight": CONDITIONAL["main.0.weight"].to_sparse()},
    "no values": CONDITIONAL | {"main.0.weight": CONDITIONAL["main.0.weight"].to("meta")},
    "a layer too small": CONDITIONAL | {"main.4.bias": torch.zeros(3)},
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


def test_the_trained_networks_are_a_classroom_runs_and_draw_as_well_as_they_say():
    state, facts = torch.get_rng_state(), weights.trained_facts()
    networks = weights.trained_generator(), weights.trained_discriminator()
    assert torch.equal(torch.get_rng_state(), state), "the session's random numbers are its own"
    for network, made in zip(networks, new_networks(preset("classroom"), 1, 10, torch.Generator())):
        made.load_state_dict(network.state_dict())  # the same names and shapes
        assert all(value.dtype == torch.float32 for value in network.parameters())
    pixels = judging.to_judged_size(sample_new(networks[0], 1500, facts["latent"], seed=1), "pad")
    metrics = {"distance": judging.METRICS["distance"]}
    found = judging.measure(judging.classify(pixels), judging.stored_reference(), metrics)
    assert abs(found["distance"] - facts["distance"]) < 4.0  # theirs is of 10,000 samples
    assert networks[1](torch.rand(100, 1, 32, 32) * 2 - 1).mean() < 0  # noise is no digit
