"""The loop: what it records, that a seed decides everything, and when it stops."""

import functools

import pytest
import torch
from torch import nn
from torch._dynamo.backends.common import aot_autograd

from dcgan_utils.config import Config, UserError
from dcgan_utils.data import Images
from dcgan_utils.losses import D_WINS, non_saturating
from dcgan_utils.sampling import sample
from dcgan_utils.training import Diverged, History, Training, generator_step, sample_steps, variety
from dcgan_utils.training.health import ALIKE


def weights(training):
    both = (training.generator, training.discriminator)
    return [value for network in both for value in network.state_dict().values()]


def test_a_run_records_every_step_and_takes_its_pictures(new_training):
    training = new_training(steps=12, frames=4)
    reports = []
    training.run(reports.append)
    assert training.history["step"].tolist() == list(range(1, 13))
    assert (training.history["seconds"].diff() > 0).all()
    for column in ("d_real", "d_fake_before", "d_fake_after"):
        assert ((training.history[column] > 0) & (training.history[column] < 1)).all()
    assert sorted(training.frames) == sample_steps(12, 4)
    assert all(frame.shape == (16, 1, 16, 16) for frame in training.frames.values())
    assert reports[-1].step == reports[-1].total == 12
    assert reports[-1].seconds_left == 0


def test_recording_every_third_step(new_training):
    training = new_training(steps=10, record_every=3)
    training.run()
    assert training.history["step"].tolist() == [3, 6, 9, 10]


def test_recorded_values_are_those_of_the_steps(new_training):
    """One step taken by hand gives the row that the loop records."""
    by_hand, by_loop = new_training(steps=1), new_training(steps=1)
    values = by_hand.train_step()[0]
    by_loop.run()
    assert by_loop.history.rows[0, 2:].tolist() == values.tolist()


def test_same_seed_same_result_whatever_else_is_random(new_training):
    first = new_training()
    first.run()
    torch.manual_seed(123)
    again, other = new_training(), new_training(seed=1)
    again.run()
    other.run()
    assert all(map(torch.equal, weights(first), weights(again)))
    assert torch.equal(first.history.rows[:, 2:], again.history.rows[:, 2:])
    assert not all(map(torch.equal, weights(first), weights(other)))


def test_training_draws_nothing_from_the_global_generator(new_training):
    training = new_training()
    before = torch.get_rng_state()
    training.run()
    assert torch.equal(before, torch.get_rng_state())


def test_sampling_neither_changes_the_run_nor_depends_on_the_batch(new_training):
    training = new_training()
    training.train_step()
    before = [value.clone() for value in weights(training)]
    latents = training.fixed_latents
    images = sample(training.sampler, latents)
    assert torch.equal(images[:1], sample(training.sampler, latents[:1]))
    assert all(map(torch.equal, before, weights(training)))
    assert training.generator.training


@pytest.mark.parametrize(("total", "frames"), [(20, 4), (700, 24), (3500, 24), (5, 24)])
def test_pictures_are_dense_at_first_and_include_both_ends(total, frames):
    steps = sample_steps(total, frames)
    gaps = torch.tensor(steps).diff()
    assert steps[0] == 0 and steps[-1] == total
    assert (gaps > 0).all() and gaps[0] <= gaps[-1]
    if total >= 700:
        assert 20 <= len(steps) <= 30


def test_a_batch_larger_than_the_data_is_refused(smoke):
    images = Images(torch.zeros(10, 1, 16, 16, dtype=torch.uint8), "ten images", 1)
    with pytest.raises(UserError, match="batch_size is 11.*10"):
        Training(smoke(batch_size=11), images)


def test_variety_of_images():
    same = torch.rand(1, 1, 8, 8).expand(16, -1, -1, -1)
    assert variety(same) < 1e-6
    assert variety(torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1)) == 1


def test_a_real_run_that_diverges_stops_before_it_is_saved(new_training):
    training, saved = new_training(steps=40), []
    with torch.no_grad():
        next(training.generator.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged):
        training.run(on_checkpoint=lambda: saved.append(training.step))
    assert saved == []


def test_a_real_run_whose_discriminator_wins_says_so(new_training):
    """The generator is frozen at noise, so D's loss goes to zero in a real run."""
    training, told = new_training(steps=400, learning_rate=0.002, frames=2), []
    for group in training.optimizers["generator"].param_groups:
        group["lr"] = 0.0
    training.run(lambda report: told.extend(report.warnings))
    assert told[0] in (D_WINS, ALIKE) and D_WINS in told


def test_history_csv():
    history = History(non_saturating(Config()).metrics)
    history.add(3, 0.5, torch.tensor([1.25, 0.5, 0.75, 0.25, 0.125]))
    history.flush()
    assert history.to_csv().decode().splitlines() == [
        "step,seconds,loss_d,loss_g,d_real,d_fake_before,d_fake_after",
        "3,0.500,1.25,0.5,0.75,0.25,0.125",
    ]


def test_the_average_follows_its_formula(new_training):
    """It begins with the weights after the first step, then a = d a + (1 - d) w, d growing."""
    training, average = new_training(average=0.3), None
    for decay in (None, 2 / 11, 3 / 12, 0.3, 0.3):  # (1 + n) / (10 + n), at most 0.3
        training.train_step()
        now = {k: v.double() for k, v in training.generator.state_dict().items() if v.ndim}
        average = {k: decay * average[k] + (1 - decay) * now[k] for k in now} if average else now
    drawn_by = training.sampler.state_dict()
    assert training.sampler is not training.generator
    assert all(torch.allclose(drawn_by[k].double(), v, atol=1e-6) for k, v in average.items())


def test_an_average_changes_the_samples_and_nothing_else(new_training):
    plain, averaged = new_training(), new_training(average=0.9)
    plain.run()
    averaged.run()
    assert plain.sampler is plain.generator
    assert all(map(torch.equal, weights(plain), weights(averaged)))
    assert not torch.equal(
        sample(plain.sampler, plain.fixed_latents), sample(averaged.sampler, plain.fixed_latents)
    )


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


def test_real_label_reaches_the_discriminator(new_training):
    plain, smoothed = new_training(), new_training(real_label=0.8)
    first, second = plain.train_step()[0], smoothed.train_step()[0]
    assert first[0] != second[0] and first[2] == second[2], "another loss of the same D(x)"


def test_first_bias_reaches_the_discriminator_and_is_learned(new_training):
    plain, biased = new_training(), new_training(first_bias=True)
    loss_d, _, d_real, d_before, _ = zip(plain.train_step()[0], biased.train_step()[0])
    for without, with_bias in (loss_d, d_real, d_before):  # the others come after D's step
        torch.testing.assert_close(with_bias, without, rtol=1e-6, atol=0, msg="it starts at 0")
    assert plain.discriminator.main[0].bias is None
    assert (biased.discriminator.main[0].bias != 0).all()


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


def test_compiled_networks_train_alike(new_training, monkeypatch):
    """Everything but the last stages, which make machine code: they take a minute on a CPU."""
    compiled_graphs = []

    def backend(graph, inputs):
        compiled_graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    plain, compiled = new_training(average=0.9), new_training(average=0.9, compile=True)
    for _ in range(3):
        expected, got = plain.train_step()[0], compiled.train_step()[0]
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-3)
    assert len(compiled_graphs) >= 2, "both networks were compiled"
    assert compiled.state_dict()["generator"].keys() == plain.state_dict()["generator"].keys()
    assert sample(compiled.sampler, compiled.fixed_latents).shape == (16, 1, 16, 16)


@pytest.mark.filterwarnings("ignore:Your compiler for AOTAutograd")
def test_a_compiled_d_computes_no_gradients_of_its_weights_in_gs_step():
    """By what the backward pass of the compiled graph asks each convolution for."""
    asked = []

    def backward(graph, inputs):
        wanted = torch.ops.aten.convolution_backward.default
        asked.extend(node.args[-1] for node in graph.graph.nodes if node.target == wanted)
        return graph

    backend = aot_autograd(fw_compiler=lambda graph, inputs: graph, bw_compiler=backward)
    d = nn.Sequential(nn.Conv2d(1, 2, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(2, 1, 4))
    d[0].bias.requires_grad_(False)  # and stays so
    compiled = torch.compile(nn.Sequential(d, nn.Flatten(0)), backend=backend)
    g = nn.Sequential(nn.ConvTranspose2d(3, 1, 8), nn.Tanh())
    generator_step(g, compiled, torch.optim.SGD(g.parameters(), 0.1), g(torch.ones(2, 3, 1, 1)))
    image, weight, bias = zip(*asked)
    assert len(asked) == 2 and all(image) and not any(weight) and not any(bias)
    assert [p.requires_grad for p in d.parameters()] == [True, False, True, True]


def test_a_missing_compiler_is_named(new_training, monkeypatch):
    def fails(*arguments, **options):
        raise RuntimeError("No working C++ compiler found\nmore")

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(UserError, match="compile is True.*No working C.. compiler found.*leave"):
        new_training(compile=True)


@pytest.mark.parametrize("by", ["report", "checkpoint"])
def test_a_run_that_is_told_to_stop_goes_on_later_as_if_it_had_not(new_training, by):
    stopped, whole = new_training(steps=60), new_training(steps=60)
    if by == "report":
        assert stopped.run(on_report=lambda report: report.step == 25) is False
    else:
        assert stopped.run(on_checkpoint=lambda: stopped.step == 25) is False
    assert stopped.step == 25 and stopped.total == 60 and len(stopped.history) == 25
    assert stopped.run() is True and whole.run() is True
    for ours, theirs in zip(stopped.generator.parameters(), whole.generator.parameters()):
        assert torch.equal(ours, theirs)


def test_steps_beyond_the_end_can_be_asked_for(new_training):
    training = new_training(steps=3)
    training.run(steps=2)
    assert training.step == 2
    training.run(steps=4)
    assert (training.step, training.total) == (6, 3)
