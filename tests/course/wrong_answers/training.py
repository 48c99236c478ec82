"""Plausible wrong answers to the exercises of notebook 05, and what their hint must contain."""

import torch
import torch.nn.functional as F

from dcgan_utils.exercises import (
    check_discriminator_loss,
    check_generator_step,
    check_readings,
    check_to_gray_levels,
    check_training,
)


def sigmoid_loss(real, fake):
    return -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()


def soft(x):
    return F.softplus(x)


def step(label=1.0, detach=False, zero=True, move=True, train_judge=False):
    """Return a generator step with chosen faults."""

    def function(generator, discriminator, optimizer, z):
        fake = generator(z)
        if detach:
            fake = fake.detach()
        logits = discriminator(fake)
        loss = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
        if zero:
            optimizer.zero_grad()
        loss.backward()
        if move:
            optimizer.step()
        if train_judge:
            torch.optim.SGD(discriminator.parameters(), 0.1).step()
        return loss

    return function


def loop(**faults):
    """Return a training loop with chosen faults; written on its own, not as the checker's."""

    def label(logits, value):
        return F.binary_cross_entropy_with_logits(logits, logits.new_full(logits.shape, value))

    def optimizers(g, d):
        betas = (faults.get("beta1", 0.5), 0.999)
        of_g = list(g.parameters()) + (list(d.parameters()) if faults.get("both") else [])
        return (
            torch.optim.Adam(of_g, lr=2e-4, betas=betas),
            torch.optim.Adam(d.parameters(), lr=2e-4, betas=betas),
        )

    def function(g, d, batches, random):
        losses, (of_g, of_d) = [], optimizers(g, d)
        for real in batches:
            if faults.get("anew"):
                of_g, of_d = optimizers(g, d)
            fake = g(torch.randn(len(real), g.latent_size, generator=random))
            if faults.get("mixed"):
                said = d(torch.cat([real, fake.detach()]))
                loss_d = label(said[: len(real)], 1.0) + label(said[len(real) :], 0.0)
            else:
                loss_d = label(d(real), 1.0) + label(d(fake.detach()), 0.0)
            if not faults.get("keep"):
                of_d.zero_grad()
            loss_d.backward()
            of_d.step()
            if faults.get("fresh"):
                fake = g(torch.randn(len(real), g.latent_size, generator=random))
            if faults.get("cut"):
                fake = fake.detach().requires_grad_()
            loss_g = label(d(fake), faults.get("label", 1.0))
            if not faults.get("keep"):
                of_g.zero_grad()
            loss_g.backward()
            of_g.step()
            losses.append((loss_d.item(), loss_g.item() * faults.get("scale", 1)))
        return losses[: faults.get("told", 9)]

    return function


def g_first(g, d, batches, random):
    """Train, G before D."""
    losses, label = [], F.binary_cross_entropy_with_logits
    of_g, of_d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (g, d))
    for real in batches:
        fake = g(torch.randn(len(real), g.latent_size, generator=random))
        logits = d(fake)
        loss_g = label(logits, torch.ones_like(logits))
        of_g.zero_grad()
        loss_g.backward()
        of_g.step()
        logits, others = d(real), d(fake.detach())
        loss_d = label(logits, torch.ones_like(logits)) + label(others, torch.zeros_like(others))
        of_d.zero_grad()
        loss_d.backward()
        of_d.step()
        losses.append((loss_d.item(), loss_g.item()))
    return losses


RIGHT = {"P": "healthy", "Q": "D wins late", "R": "G minimizes log(1 - D)"}
RIGHT |= {"S": "D has won from the start", "T": "healthy"}

WRONG = [
    (check_discriminator_loss, lambda r, f: -(soft(-r).mean() + soft(f).mean()), "sign"),
    (
        check_discriminator_loss,
        lambda r, f: (soft(-r).mean() + soft(f).mean()) / 2,
        "sum of the two terms",
    ),
    (check_discriminator_loss, lambda r, f: soft(-r).sum() + soft(f).sum(), "mean over each batch"),
    (
        check_discriminator_loss,
        lambda r, f: torch.cat([soft(-r), soft(f)]).mean(),
        "mean of their own",
    ),
    (check_discriminator_loss, lambda r, f: soft(r).mean() + soft(-f).mean(), "labels are swapped"),
    (check_discriminator_loss, lambda r, f: soft(-r), "shape"),
    (check_discriminator_loss, lambda r, f: soft(-r).mean(), "two terms"),
    (check_discriminator_loss, sigmoid_loss, "rounds? to exactly 0 or 1|round"),
    (check_to_gray_levels, lambda x: x / 127.5 - 1, "dtype"),
    (check_to_gray_levels, lambda x: (x / 127.5 - 1).to(torch.uint8), "Undo"),
    (check_to_gray_levels, lambda x: ((x + 1) * 127.5).to(torch.uint8), "cuts fractions off"),
    (
        check_to_gray_levels,
        lambda x: ((x + 1) * 127.5).round().to(torch.int32).to(torch.uint8),
        "wrap",
    ),
    (check_to_gray_levels, lambda x: (x * 255).round().clamp(0, 255).to(torch.uint8), "Undo"),
    (
        check_to_gray_levels,
        lambda x: x.add_(1).mul_(127.5).round().clamp(0, 255).to(torch.uint8),
        "changed",
    ),
    (
        check_to_gray_levels,
        lambda x: ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).flatten(),
        "shape",
    ),
    (check_generator_step, step(label=0.0), "Which label"),
    (check_generator_step, step(detach=True), "RuntimeError|gradient"),
    (check_generator_step, step(zero=False), r"before the step"),
    (check_generator_step, step(move=False), "step missing"),
    (check_generator_step, step(train_judge=True), "discriminator's weights to stay"),
    (check_training, loop(beta1=0.9), "0.9"),
    (check_training, loop(mixed=True), "batches of their own"),
    (check_training, loop(label=0.0), "Which label"),
    (check_training, loop(keep=True), "before the step"),
    (check_training, g_first, "comes first"),
    (check_training, loop(both=True), "leave D's weights"),
    (check_training, loop(fresh=True), "D's step has used"),
    (check_training, loop(anew=True), "once, before the loop"),
    (check_training, loop(cut=True), "reach them"),
    (check_training, loop(scale=-1), "expected Loss_D"),
    (check_training, loop(told=2), "one a batch"),
    (check_training, lambda g, d, b, r: None, "return"),
    (check_readings, lambda: RIGHT | {"Q": "healthy"}, "Look at Loss_D at"),
    (check_readings, lambda: RIGHT | {"R": "healthy"}, "Loss_G where"),
    (check_readings, lambda: RIGHT | {"S": "D wins late"}, "from step 100"),
    (check_readings, lambda: RIGHT | {"T": "D wins late"}, "come back"),
    (check_readings, lambda: RIGHT | {"P": "D wins late"}, "last third"),
    (check_readings, lambda: RIGHT | {"P": "fine"}, "not one of"),
    (check_readings, lambda: {"P": "healthy"}, "missing"),
]

# What a hint must not give away.
SECRETS = ["logsigmoid", "softplus", "127.5).round()", "ones_like", "zero_grad"]
