"""The two training steps against a plain PyTorch loop with a sigmoid and `BCELoss`."""

import ast
import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

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


def plain_step(generator, discriminator, real, z, real_label):
    """One step as the tutorials write it; returns the five metrics."""
    optimizer_d, optimizer_g, loss_function = adam(discriminator), adam(generator), nn.BCELoss()
    discriminator.zero_grad()
    output = torch.sigmoid(discriminator(real))
    loss_real, d_real = loss_function(output, torch.full((8,), real_label)), output.mean()
    loss_real.backward()
    fake = generator(z)
    output = torch.sigmoid(discriminator(fake.detach()))
    loss_fake, d_before = loss_function(output, torch.zeros(8)), output.mean()
    loss_fake.backward()
    optimizer_d.step()
    discriminator_gradients = [p.grad.clone() for p in discriminator.parameters()]
    generator.zero_grad()
    output = torch.sigmoid(discriminator(fake))
    loss_g = loss_function(output, torch.ones(8))
    loss_g.backward()
    optimizer_g.step()
    metrics = torch.stack([loss_real + loss_fake, loss_g, d_real, d_before, output.mean()])
    return metrics.detach(), discriminator_gradients


def our_step(generator, discriminator, real, z, real_label):
    fake = generator(z)
    loss_d, d_real, d_before = discriminator_step(
        discriminator,
        adam(discriminator),
        real,
        fake,
        objective=non_saturating(preset("smoke", real_label=real_label)),
    )
    gradients = [p.grad.clone() for p in discriminator.parameters()]
    loss_g, d_after = generator_step(generator, discriminator, adam(generator), fake)
    return torch.stack([loss_d, loss_g, d_real, d_before, d_after]), gradients


@pytest.mark.parametrize("real_label", [1.0, 0.9])
def test_steps_agree_with_a_plain_loop(setting, real_label):
    generator, discriminator, real, z = setting
    plain_g, plain_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    expected, expected_gradients = plain_step(plain_g, plain_d, real, z, real_label)
    metrics, gradients = our_step(generator, discriminator, real, z, real_label)
    torch.testing.assert_close(metrics, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(gradients, expected_gradients, rtol=0, atol=1e-5)
    for ours, theirs in ((generator, plain_g), (discriminator, plain_d)):
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-5)
    for ours, theirs in zip(generator.parameters(), plain_g.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-5)
        assert theirs.grad.abs().max() > 1e-4  # so that 1e-5 means something


def test_each_step_changes_its_own_network_only(setting):
    generator, discriminator, real, z = setting

    def parameters(network):
        return [p.detach().clone() for p in network.parameters()]

    fake = generator(z)
    before_g, before_d = parameters(generator), parameters(discriminator)
    discriminator_step(discriminator, adam(discriminator), real, fake)
    assert all(map(torch.equal, before_g, parameters(generator)))
    assert all(p.grad is None for p in generator.parameters())
    after_d = parameters(discriminator)
    assert not any(map(torch.equal, before_d, after_d))
    gradients = [p.grad.clone() for p in discriminator.parameters()]
    generator_step(generator, discriminator, adam(generator), fake)
    assert all(map(torch.equal, after_d, parameters(discriminator)))
    assert all(map(torch.equal, gradients, [p.grad for p in discriminator.parameters()]))
    assert not any(map(torch.equal, before_g, parameters(generator)))


def test_real_and_fake_do_not_share_batch_statistics(setting):
    """What D says of the real batch does not depend on which fake batch comes along."""
    generator, discriminator, real, z = setting
    answers = []
    for fake in (generator(z), torch.ones_like(real)):
        network = copy.deepcopy(discriminator)
        answers.append(discriminator_step(network, adam(network), real, fake)[1])
    assert torch.equal(*answers)


def test_loss_by_hand():
    """-log sigmoid(0) = log 2, and a logit of 2 against label 0 costs log(1 + e^2)."""
    assert cross_entropy(torch.zeros(3), 1.0).item() == pytest.approx(0.693147, abs=1e-6)
    assert cross_entropy(torch.tensor([2.0]), 0.0).item() == pytest.approx(2.126928, abs=1e-6)


def test_loss_survives_what_makes_sigmoid_and_bce_overflow():
    logits = torch.tensor([200.0], requires_grad=True)
    loss = cross_entropy(logits, 0.0)
    loss.backward()
    assert loss.item() == pytest.approx(200.0)
    assert logits.grad.item() == pytest.approx(1.0)


def test_scores_are_probabilities():
    objective = non_saturating(preset("smoke"))
    assert objective.score(torch.tensor([0.0, 100.0])).mean().item() == pytest.approx(0.75)


BF16 = """
import torch
from dcgan_utils.config import preset
from dcgan_utils.data import load_images
from dcgan_utils.training import Training
config = preset("smoke", data="embedded", learning_rate=0.01)
for precision in ("float32", "bf16"):
    training = Training(preset("smoke", data="embedded", learning_rate=0.01, precision=precision),
                        load_images(config))
    print(torch.stack([training.train_step()[0] for _ in range(3)]).tolist())
"""


@pytest.mark.slow
def test_bf16_trains_as_float32_does():
    """Three steps in each precision, at a rate at which weights cast before a step would show.

    oneDNN is held to AVX-512 without AMX, which some virtual machines report and cannot run.
    """
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}
    result = subprocess.run(
        [sys.executable, "-c", BF16], env=environment, capture_output=True, text=True, check=True
    )
    float32, bf16 = (torch.tensor(ast.literal_eval(x)) for x in result.stdout.splitlines())
    assert not torch.equal(float32, bf16)  # it did compute in another precision
    torch.testing.assert_close(bf16, float32, rtol=0, atol=0.08)
    after_minus_before = (float32[:, 4] - float32[:, 3]).abs()
    assert after_minus_before.max() > 2 * 0.08  # what weights cast before the step would miss
