"""The loop: what it records, that a seed decides everything, and when it stops."""

import pytest
import torch
from several import LABELED, assert_identical, state_of

from dcgan_utils.config import UserError
from dcgan_utils.data import Images
from dcgan_utils.training import History, Training, sample_steps


def test_a_run_records_every_step_and_takes_its_pictures(new_training):
    training, by_hand, reports = new_training(steps=12, frames=4), new_training(steps=12), []
    training.run(reports.append)
    assert training.history["step"].tolist() == list(range(1, 13))
    assert (training.history["seconds"].diff() > 0).all()
    first = {name: value.item() for name, value in by_hand.train_step()[0].items()}
    assert {name: training.history[name][0].item() for name in training.history.names} == first
    assert sorted(training.frames) == sample_steps(12, 4)
    assert all(frame.shape == (16, 1, 16, 16) for frame in training.frames.values())
    training.run(reports.append, steps=2)  # beyond the end
    ends = [(report.step, report.total, report.seconds_left) for report in reports]
    assert ends == [(12, 12, 0), (14, 14, 0)]


def test_same_seed_same_result_whatever_else_is_random(new_training):
    """Spectral norm has vectors of its own, which PyTorch draws from the global generator."""
    made = []
    for global_seed, seed in ((0, 0), (123, 0), (0, 1)):
        torch.manual_seed(global_seed)
        made.append(new_training(steps=5, seed=seed, spectral_norm=True))
        before = torch.get_rng_state()
        made[-1].run()
        assert torch.equal(before, torch.get_rng_state()), "nothing is drawn from it"
    first, again, other = map(state_of, made)
    assert_identical(first, again)
    assert not torch.equal(first["fixed_latents"], other["fixed_latents"])


def test_what_does_not_fit_the_images_is_refused(smoke):
    images = Images(torch.zeros(10, 1, 16, 16, dtype=torch.uint8), "ten images", 1)
    for changes in ({"image_size": 32}, {"channels": 3}):
        with pytest.raises(UserError, match="16x16 with 1 channels.*load_images"):
            Training(smoke(batch_size=5, **changes), images)
    with pytest.raises(UserError, match="wrong_pairs is True; allowed: False.*one class"):
        Training(smoke(batch_size=5, **LABELED), images)


def test_the_history_as_csv_and_with_numbers_that_come_and_go():
    history = History()
    history.add(3, 0.5, {"loss_d": torch.tensor(1.25), "d_real": torch.tensor(0.75)})
    history.add(6, 1.0, {"loss_d": torch.tensor(1.0), "penalty": torch.tensor(0.5)})
    history.flush()
    assert history.to_csv().decode().splitlines() == [
        "step,seconds,loss_d,d_real,penalty",
        "3,0.500,1.25,0.75,nan",
        "6,1.000,1,nan,0.5",
    ]


def test_the_average_follows_its_formula_and_changes_the_samples_alone(new_training):
    """It begins with the weights after the first step, then a = d a + (1 - d) w, d growing."""
    training, plain, average = new_training(average=0.3), new_training(), None
    for decay in (None, 2 / 11, 3 / 12, 0.3, 0.3):  # (1 + n) / (10 + n), at most 0.3
        training.train_step()
        plain.train_step()
        now = {k: v.double() for k, v in training.generator.state_dict().items() if v.ndim}
        average = {k: decay * average[k] + (1 - decay) * now[k] for k in now} if average else now
    drawn_by = training.sampler.state_dict()
    assert all(torch.allclose(drawn_by[k].double(), v, atol=1e-6) for k, v in average.items())
    assert training.sampler is not training.generator and plain.sampler is plain.generator
    for name in ("generator", "discriminator", "optimizers", "random"):
        assert_identical(plain.state_dict()[name], training.state_dict()[name], name)


def test_the_rate_falls_along_a_line_in_the_last_part(new_training):
    """Worked by hand for 20 steps: the rates of the steps number 0, 10, 15 and 19."""
    training, rates = new_training(steps=20, decay=0.5, learning_rate=0.01), []
    for _ in range(20):
        training.train_step()
        pair = [o.param_groups[0]["lr"] for o in training.optimizers.values()]
        assert pair[0] == pair[1]
        rates.append(pair[0])
    assert [rates[i] for i in (0, 10, 15, 19)] == pytest.approx([0.01, 0.01, 0.005, 0.001])


def test_with_labels_each_row_of_a_picture_shows_a_class_and_each_column_a_vector(new_training):
    training = new_training(conditional=True, samples=25, steps=1)
    assert training.fixed_labels.tolist() == [digit for digit in range(10) for _ in range(2)]
    rows = training.fixed_latents.unflatten(0, (10, 2))
    assert (rows == rows[0]).all() and not (rows[0, 0] == rows[0, 1]).any()


def test_wrong_pairs_give_a_real_image_another_label_any_as_often(new_training):
    training, seen, off = new_training(**LABELED), [], torch.zeros(10)
    training.discriminator.register_forward_hook(lambda _, inputs, y: seen.append(inputs))
    for _ in range(60):
        seen.clear()
        _, real, _ = training.train_step()
        (image, label), (again, other), (_, asked) = seen  # the generated images meet D's twin
        assert torch.equal(image, real) and torch.equal(again, real) and torch.equal(asked, label)
        off += ((other - label) % 10).bincount(minlength=10)
    assert off[0] == 0 and off[1:].min() > 150 and off.sum() == 60 * 32  # expected: 213 each
