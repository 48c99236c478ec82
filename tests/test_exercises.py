"""Every checker accepts the published solution, rejects wrong answers, and says where to look."""

import re
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F

from dcgan_utils import exercises

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def published(number):
    """Return the function and the checker of an exercise as the notebook publishes them."""
    (path,) = NOTEBOOKS.glob(f"{int(number.split('.')[0]):02d}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    part = text.split(f"### {number} ")[1].split("\n### ")[0]
    solution = re.search(r"<summary>Solution</summary>\s+```python\n(.*?)```", part, re.DOTALL)[1]
    checker, name = re.search(r"^_ = (check_\w+)\((\w+)\)", part, re.MULTILINE).groups()
    space = {"torch": torch, "bce": F.binary_cross_entropy_with_logits}
    exec(solution, space)  # our own text, as a reader would paste it
    return getattr(exercises, checker), space[name]


@pytest.mark.parametrize("number", ["5.1", "5.2", "5.3"])
def test_published_solution_is_accepted(number, capsys):
    checker, solution = published(number)
    assert checker(solution)
    assert capsys.readouterr().out == f"Exercise {number}: correct.\n"


CHECKERS = [
    exercises.check_discriminator_loss,
    exercises.check_to_gray_levels,
    exercises.check_generator_step,
]


@pytest.mark.parametrize("checker", CHECKERS)
def test_an_exercise_not_yet_done_is_no_failure(checker, capsys):
    def stub(*arguments):
        raise NotImplementedError

    assert not checker(stub)
    assert "not done yet" in capsys.readouterr().out


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_crash_and_a_missing_return_are_explained(checker, capsys):
    assert not checker(lambda *arguments: 1 / 0)
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert not checker(lambda *arguments: None)
    assert "return" in capsys.readouterr().out


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
    (0, lambda r, f: -(soft(-r).mean() + soft(f).mean()), "sign"),
    (0, lambda r, f: (soft(-r).mean() + soft(f).mean()) / 2, "sum of the two terms"),
    (0, lambda r, f: soft(-r).sum() + soft(f).sum(), "mean over each batch"),
    (0, lambda r, f: torch.cat([soft(-r), soft(f)]).mean(), "mean of their own"),
    (0, lambda r, f: soft(r).mean() + soft(-f).mean(), "labels are swapped"),
    (0, lambda r, f: soft(-r), "shape"),
    (0, lambda r, f: soft(-r).mean(), "two terms"),
    (0, sigmoid_loss, "rounds? to exactly 0 or 1|round"),
    (1, lambda x: x / 127.5 - 1, "dtype"),
    (1, lambda x: (x / 127.5 - 1).to(torch.uint8), "Undo"),
    (1, lambda x: ((x + 1) * 127.5).to(torch.uint8), "cuts fractions off"),
    (1, lambda x: ((x + 1) * 127.5).round().to(torch.int32).to(torch.uint8), "wrap"),
    (1, lambda x: (x * 255).round().clamp(0, 255).to(torch.uint8), "Undo"),
    (1, lambda x: x.add_(1).mul_(127.5).round().clamp(0, 255).to(torch.uint8), "changed"),
    (1, lambda x: ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).flatten(), "shape"),
    (2, step(label=0.0), "Which label"),
    (2, step(detach=True), "RuntimeError|gradient"),
    (2, step(zero=False), r"before the step"),
    (2, step(move=False), "step missing"),
    (2, step(train_judge=True), "discriminator's weights to stay"),
]


@pytest.mark.parametrize(("checker", "answer", "hint"), WRONG)
def test_wrong_answer_is_rejected_with_a_fitting_hint(checker, answer, hint, capsys):
    assert not CHECKERS[checker](answer)
    said = capsys.readouterr().out
    assert re.search(hint, said), said
    assert said.startswith(f"Exercise 5.{checker + 1}: ")


def test_hints_do_not_give_the_answer_away(capsys):
    for checker, answer, _ in WRONG:
        CHECKERS[checker](answer)
    said = capsys.readouterr().out
    for secret in ("logsigmoid", "softplus", "127.5).round()", "ones_like", "zero_grad"):
        assert secret not in said
