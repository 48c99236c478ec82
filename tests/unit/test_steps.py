"""The two training steps against a plain PyTorch loop with a sigmoid and `BCELoss`."""

import copy

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from dcgan_utils.config import preset
from dcgan_utils.losses import cross_entropy, non_saturating
from dcgan_utils.networks import Discriminator, Generator, initialize_weights
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import discriminator_step, generator_step


@pytest.fixture
def setting():
    """Two small networks that have left their initial state, two batches, and the optimizers."""
    random = torch.Generator().manual_seed(0)
    generator, discriminator = Generator(16, 1, 10, 4), Discriminator(16, 1, 4)
    for network in (generator, discriminator):
        initialize_weights(network, random, std=0.1)
    real = torch.rand(8, 1, 16, 16, generator=random) * 2 - 1
    return generator, discriminator, real, draw_latents(8, 10, "normal", random)


def adam(network):
    return torch.optim.Adam(network.parameters(), 0.0002, (0.5, 0.999))


def gradients_of(network):
    return [parameter.grad.clone() for parameter in network.parameters()]


def plain_step(generator, discriminator, real, z, real_label):
    """One step as the tutorials write it; returns what is reported, and D's gradients."""
    optimizer_d, optimizer_g = adam(discriminator), adam(generator)
    says = torch.sigmoid(discriminator(real))
    loss_real = binary_cross_entropy(says, torch.full((8,), real_label))
    loss_real.backward()
    fake = generator(z)
    before = torch.sigmoid(discriminator(fake.detach()))
    loss_fake = binary_cross_entropy(before, torch.zeros(8))
    loss_fake.backward()
    optimizer_d.step()
    gradients = gradients_of(discriminator)
    generator.zero_grad()
    after = torch.sigmoid(discriminator(fake))
    loss_g = binary_cross_entropy(after, torch.ones(8))
    loss_g.backward()
    optimizer_g.step()
    numbers = (loss_real + loss_fake, loss_g, says.mean(), before.mean(), after.mean())
    names = ("loss_d", "loss_g", "d_real", "d_fake_before", "d_fake_after")
    return {name: number.detach() for name, number in zip(names, numbers)}, gradients


def our_step(generator, discriminator, real, z, real_label):
    fake, objective = generator(z), non_saturating(preset("smoke", real_label=real_label))
    of_d = discriminator_step(discriminator, adam(discriminator), real, fake, objective=objective)
    gradients = gradients_of(discriminator)
    return of_d | generator_step(generator, discriminator, adam(generator), fake), gradients


@pytest.mark.parametrize("real_label", [1.0, 0.9])
def test_steps_agree_with_a_plain_loop(setting, real_label):
    generator, discriminator, real, z = setting
    plain_g, plain_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    expected = plain_step(plain_g, plain_d, real, z, real_label)
    found = our_step(generator, discriminator, real, z, real_label)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    for ours, theirs in ((generator, plain_g), (discriminator, plain_d)):
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-5)
    torch.testing.assert_close(gradients_of(generator), gradients_of(plain_g), rtol=0, atol=1e-5)
    assert min(g.abs().max() for g in gradients_of(plain_g)) > 1e-4, "so that 1e-5 means something"


def test_each_step_changes_its_own_network_only(setting):
    generator, discriminator, real, z = setting

    def parameters(network):
        return [p.detach().clone() for p in network.parameters()]

    fake = generator(z)
    before_g, before_d = parameters(generator), parameters(discriminator)
    discriminator_step(discriminator, adam(discriminator), real, fake)
    assert all(map(torch.equal, before_g, parameters(generator)))
    assert all(p.grad is None for p in generator.parameters())
    after_d, gradients = parameters(discriminator), gradients_of(discriminator)
    assert not any(map(torch.equal, before_d, after_d))
    generator_step(generator, discriminator, adam(generator), fake)
    assert all(map(torch.equal, after_d, parameters(discriminator)))
    assert all(map(torch.equal, gradients, gradients_of(discriminator)))
    assert not any(map(torch.equal, before_g, parameters(generator)))


def test_the_loss_survives_what_makes_a_sigmoid_overflow():
    """By hand: -log sigmoid(0) = log 2; a logit of 200 against label 0 costs 200, its slope 1."""
    assert cross_entropy(torch.zeros(3), 1.0).item() == pytest.approx(0.693147, abs=1e-6)
    logits = torch.tensor([200.0], requires_grad=True)
    loss = cross_entropy(logits, 0.0)
    loss.backward()
    assert (loss.item(), logits.grad.item()) == (pytest.approx(200.0), pytest.approx(1.0))


def test_conditional_networks_learn_what_their_labels_mean():
    """Real images are black or white, as their label says; G's own z does not tell which."""
    random = torch.Generator().manual_seed(0)
    generator, discriminator = Generator(16, 1, 8, 4, classes=2), Discriminator(16, 1, 4, classes=2)
    for network in (generator, discriminator):
        initialize_weights(network, random, 0.1)
    optimizers = [torch.optim.Adam(n.parameters(), 0.002) for n in (generator, discriminator)]
    labels = torch.arange(32) % 2
    real = (labels * 2.0 - 1).reshape(-1, 1, 1, 1).expand(-1, 1, 16, 16)  # black 0s, white 1s
    for _ in range(150):
        fake = generator(draw_latents(32, 8, "normal", random), labels)
        discriminator_step(discriminator, optimizers[1], real, fake, labels)
        generator_step(generator, discriminator, optimizers[0], fake, labels)
    drawn = generator(draw_latents(32, 8, "normal", random), labels).mean(dim=(1, 2, 3))
    assert drawn[labels == 1].min() - drawn[labels == 0].max() > 0.3


def test_a_generator_may_have_layers_that_do_not_learn(new_training):
    training = new_training()
    first = next(training.generator.parameters())
    before = first.requires_grad_(False).clone()
    training.train_step()
    assert torch.equal(first, before)
