"""The two training steps against a plain PyTorch loop with a sigmoid and `BCELoss`."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from several import LABELED
from torch.nn.functional import binary_cross_entropy

from dcgan_utils.config import preset
from dcgan_utils.losses import cross_entropy, non_saturating
from dcgan_utils.networks import Discriminator, Generator, initialize_weights
from dcgan_utils.sampling import draw_latents
from dcgan_utils.training import discriminator_step, generator_step, twin_of


def setting(classes):
    """Return two small networks that have left their initial state, images, vectors, labels."""
    random = torch.Generator().manual_seed(0)
    networks = Generator(16, 1, 10, 4, classes), Discriminator(16, 1, 4, classes=classes)
    for network in networks:
        initialize_weights(network, random, std=0.1)
    real = torch.rand(8, 1, 16, 16, generator=random) * 2 - 1
    labels = torch.arange(8) % classes if classes else None
    return networks, real, draw_latents(8, 10, "normal", random), labels


def adam(network):
    return torch.optim.Adam(network.parameters(), 0.0002, (0.5, 0.999))


def gradients_of(network):
    return [parameter.grad.clone() for parameter in network.parameters()]


def plain_step(generator, discriminator, real, z, labels, real_label, wrong):
    """One step as the tutorials write it; returns what is reported, and D's gradients."""
    optimizer_d, optimizer_g = adam(discriminator), adam(generator)
    says = torch.sigmoid(discriminator(real, labels))
    loss_real = binary_cross_entropy(says, torch.full((8,), real_label))
    loss_real.backward()
    fake = generator(z, labels)
    pairs = [*((real, others) for others in wrong), (fake.detach(), labels)]
    answers = [torch.sigmoid(discriminator(*pair)) for pair in pairs]
    loss_fake = sum(binary_cross_entropy(y, torch.zeros(8)) for y in answers) / len(answers)
    loss_fake.backward()
    optimizer_d.step()
    gradients = gradients_of(discriminator)
    generator.zero_grad()
    after = torch.sigmoid(discriminator(fake, labels))
    loss_g = binary_cross_entropy(after, torch.ones(8))
    loss_g.backward()
    optimizer_g.step()
    numbers = (loss_real + loss_fake, loss_g, says.mean(), answers[-1].mean(), after.mean())
    names = ("loss_d", "loss_g", "d_real", "d_fake_before", "d_fake_after")
    return {name: number.detach() for name, number in zip(names, numbers)}, gradients


def our_step(generator, discriminator, real, z, labels, real_label, wrong, beside):
    optimizer_d, optimizer_g = adam(discriminator), adam(generator)
    fake, objective = generator(z, labels), non_saturating(preset("smoke", real_label=real_label))
    with ThreadPoolExecutor(1) as second:
        how = {"twin": twin_of(discriminator), "second": second} if beside else {}
        how["wrong"] = wrong
        of_d = discriminator_step(discriminator, optimizer_d, real, fake, labels, objective, **how)
    gradients = gradients_of(discriminator)
    return of_d | generator_step(generator, discriminator, optimizer_g, fake, labels), gradients


CASES = [(1.0, 0, False), (0.9, 3, False), (0.9, 3, True)]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(("label", "classes", "wrong_pairs"), CASES)
def test_steps_agree_with_a_plain_loop(label, classes, wrong_pairs, beside):
    """Running statistics included; `beside` lets a second thread take the generated images."""
    (generator, discriminator), real, z, labels = setting(classes)
    if classes:
        others = discriminator(real, labels.roll(1))
        assert not torch.equal(discriminator(real, labels), others), "labels are heeded"
    plain_g, plain_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    given = real, z, labels, label, [labels.roll(1)] if wrong_pairs else []
    expected = plain_step(plain_g, plain_d, *given)
    found = our_step(generator, discriminator, *given, beside)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    for ours, theirs in ((generator, plain_g), (discriminator, plain_d)):
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-5)
    torch.testing.assert_close(gradients_of(generator), gradients_of(plain_g), rtol=0, atol=1e-5)
    assert min(g.abs().max() for g in gradients_of(plain_g)) > 1e-4, "so that 1e-5 means something"


def test_the_loss_survives_what_makes_a_sigmoid_overflow():
    """By hand: -log sigmoid(0) = log 2; a logit of 200 against label 0 costs 200, its slope 1."""
    assert cross_entropy(torch.zeros(3), 1.0).item() == pytest.approx(0.693147, abs=1e-6)
    logits = torch.tensor([200.0], requires_grad=True)
    loss = cross_entropy(logits, 0.0)
    loss.backward()
    assert (loss.item(), logits.grad.item()) == (pytest.approx(200.0), pytest.approx(1.0))


def test_a_generator_may_have_layers_that_do_not_learn(new_training):
    training = new_training()
    first = next(training.generator.parameters())
    before = first.requires_grad_(False).clone()
    training.train_step()
    assert torch.equal(first, before)


def test_a_small_run_ends_the_same_whatever_threads_there_are(new_training):
    """Its operations have one thread each; with a core to spare, D's halves have two."""
    ends, threads = [], []
    for available in (1, 2, 3):
        training = new_training(precision="float32", **LABELED)
        training._twin.register_forward_hook(lambda *_: threads.append(threading.get_ident()))
        torch.set_num_threads(available)
        try:
            training.run(steps=3)
            assert torch.get_num_threads() == available, "as before"
        finally:
            torch.set_num_threads(1)
        ends.append([n.state_dict() for n in (training.generator, training.discriminator)])
    torch.testing.assert_close(ends[1:], [ends[0]] * 2, rtol=0, atol=0)
    here = [thread == threading.get_ident() for thread in threads]
    assert here == [True] * 3 + [False] * 6
    training.discriminator.eval()
    training.run(steps=1)
    assert not training._twin.training, "the generated images meet D in the mode of the real ones"


def test_threads_are_settings_that_a_run_keeps(new_training):
    used = []
    try:
        torch.set_num_threads(2)
        large = new_training(image_size=64, width=4, batch_size=4)
        assert [new_training().config.threads, large.config.threads] == [1, 2]
        large.generator.register_forward_hook(lambda *_: used.append(torch.get_num_threads()))
        torch.set_num_threads(1)  # as in another process, which goes on with it
        large.run(steps=1)
    finally:
        torch.set_num_threads(1)
    assert set(used) == {2}
