"""Plausible wrong answers to the exercises of notebook 05, and what their hint must contain."""

import torch
import torch.nn.functional as F

from dcgan_utils.exercises import (
    check_discriminator_loss,
    check_generator_step,
    check_to_gray_levels,
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
]

# What a hint must not give away.
SECRETS = ["logsigmoid", "softplus", "127.5).round()", "ones_like", "zero_grad"]
