"""The loop: what it records, that a seed decides everything, and when it stops."""

import copy

import pytest
import torch

from dcgan_utils.config import UserError
from dcgan_utils.data import Images
from dcgan_utils.health import Diverged
from dcgan_utils.history import History, sample_steps
from dcgan_utils.training import Training


def weights(training):
    both = (training.generator, training.discriminator)
    return [value for network in both for value in network.state_dict().values()]


def same_numbers(a, b):
    return torch.equal(a.history.rows[:, 2:], b.history.rows[:, 2:])


def test_a_run_records_every_step_and_takes_its_pictures(new_training):
    training, by_hand, reports = new_training(steps=12, frames=4), new_training(steps=12), []
    training.run(reports.append)
    assert training.history["step"].tolist() == list(range(1, 13))
    assert (training.history["seconds"].diff() > 0).all()
    for column in ("d_real", "d_fake_before", "d_fake_after"):
        assert ((training.history[column] > 0) & (training.history[column] < 1)).all()
    first = {name: value.item() for name, value in by_hand.train_step()[0].items()}
    assert {name: training.history[name][0].item() for name in training.history.names} == first
    assert sorted(training.frames) == sample_steps(12, 4)
    assert all(frame.shape == (16, 1, 16, 16) for frame in training.frames.values())
    assert (reports[-1].step, reports[-1].total, reports[-1].seconds_left) == (12, 12, 0)


def test_recording_every_third_step(new_training):
    training = new_training(steps=10, record_every=3)
    training.run()
    assert training.history["step"].tolist() == [3, 6, 9, 10]


def test_same_seed_same_result_whatever_else_is_random(new_training):
    first = new_training()
    first.run()
    torch.manual_seed(123)
    again, other = new_training(), new_training(seed=1)
    before = torch.get_rng_state()
    again.run()
    other.run()
    assert torch.equal(before, torch.get_rng_state()), "nothing is drawn from the global generator"
    assert all(map(torch.equal, weights(first), weights(again)))
    assert same_numbers(first, again)
    assert not all(map(torch.equal, weights(first), weights(other)))


def test_what_does_not_fit_the_images_is_refused(smoke):
    images = Images(torch.zeros(10, 1, 16, 16, dtype=torch.uint8), "ten images", 1)
    with pytest.raises(UserError, match="batch_size is 11.*10"):
        Training(smoke(batch_size=11), images)
    for changes in ({"image_size": 32}, {"channels": 3}):
        with pytest.raises(UserError, match="16x16 with 1 channels.*load_images"):
            Training(smoke(batch_size=5, **changes), images)


def test_a_run_that_diverges_stops_before_it_is_saved(new_training):
    training, saved = new_training(steps=40), []
    with torch.no_grad():
        next(training.generator.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged):
        training.run(on_checkpoint=lambda: saved.append(training.step))
    assert saved == []


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
    assert all(map(torch.equal, weights(plain), weights(training)))


@pytest.mark.parametrize(
    ("decay", "expected"),
    [(0.0, [1, 1, 1, 1]), (0.5, [1, 1, 0.5, 0.1]), (1.0, [1, 0.5, 0.25, 0.05])],
)
def test_the_rate_falls_along_a_line_in_the_last_part(new_training, decay, expected):
    """Worked by hand for 20 steps: the rates of the steps number 0, 10, 15 and 19."""
    training, rates = new_training(steps=20, decay=decay, learning_rate=0.01), []
    for _ in range(20):
        training.train_step()
        pair = [o.param_groups[0]["lr"] for o in training.optimizers.values()]
        assert pair[0] == pair[1]
        rates.append(pair[0] / 0.01)
    assert [rates[step] for step in (0, 10, 15, 19)] == pytest.approx(expected)


def test_with_labels_each_row_of_a_picture_shows_a_class_and_each_column_a_vector(new_training):
    training = new_training(conditional=True, samples=25, steps=1)
    assert training.fixed_labels.tolist() == [digit for digit in range(10) for _ in range(2)]
    rows = training.fixed_latents.unflatten(0, (10, 2))
    assert (rows == rows[0]).all() and not (rows[0, 0] == rows[0, 1]).any()


@pytest.mark.parametrize("average", [0.0, 0.99])
def test_no_step_waits_for_the_device(new_training, monkeypatch, average):
    """On a GPU, each of these would make the host wait; the values are read at reports only."""
    training = new_training(average=average)

    def waits(*arguments, **options):
        raise AssertionError("a step reads a value from the device")

    reads = ("item", "tolist", "cpu", "numpy", "nonzero")
    for name in (*reads, "__int__", "__float__", "__bool__", "__index__"):
        monkeypatch.setattr(torch.Tensor, name, waits)
    for _ in range(3):
        training.train_step()


@pytest.mark.parametrize("by", ["report", "checkpoint", "steps"])
def test_a_run_that_is_told_to_stop_goes_on_later_as_if_it_had_not(new_training, by):
    stopped, whole = new_training(steps=60), new_training(steps=60)
    stop = {
        "report": {"on_report": lambda report: report.step == 25},
        "checkpoint": {"on_checkpoint": lambda: stopped.step == 25},
        "steps": {"steps": 25},
    }
    assert stopped.run(**stop[by]) is False
    assert (stopped.step, stopped.total, len(stopped.history)) == (25, 60, 25)
    resumed = new_training(steps=60)
    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    assert resumed.run() is True and stopped.run() is True and whole.run() is True
    for run in (stopped, resumed):
        assert all(map(torch.equal, weights(run), weights(whole))) and same_numbers(run, whole)


def test_steps_beyond_the_end_can_be_asked_for(new_training, monkeypatch):
    """And a report says neither "step 6 of 3" nor that time is left over."""
    monkeypatch.setattr("dcgan_utils.training.REPORT_EVERY", 1)
    training, reports = new_training(steps=3), []
    training.run(reports.append, steps=2)
    training.run(reports.append, steps=4)
    assert (training.step, training.total) == (6, 3)
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    assert all(report.step <= report.total and report.seconds_left >= 0 for report in reports)
    assert (reports[-1].total, reports[-1].seconds_left) == (6, 0)
