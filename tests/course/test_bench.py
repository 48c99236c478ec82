"""The benchmark: both programs do the same work, and its arithmetic and its tables are right."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from dcgan_utils.config import preset
from dcgan_utils.data import Images
from dcgan_utils.training import Training
from experiments import bench, measuring, quality, speed
from experiments.tables import RESULTS, read
from experiments.tutorial import Tutorial

SMALL = preset("smoke", data="embedded", batch_size=4, device="cpu")  # 16x16, width 8


@pytest.fixture
def real():
    """Return images (4, 1, 16, 16) in [-1, 1]."""
    return torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def tutorial(real):
    return Tutorial(TensorDataset(real, torch.zeros(4)), SMALL)


# The two programs


def test_a_step_of_the_tutorial_changes_both_networks(tutorial, real):
    networks = (tutorial.netG, tutorial.netD)
    before = [{name: p.clone() for name, p in n.named_parameters()} for n in networks]
    figures = tutorial.step(real)
    assert len(figures) == 6 and all(map(math.isfinite, figures))
    for network, old in zip(networks, before):
        for name, parameter in network.named_parameters():
            assert not torch.equal(parameter, old[name]), name


@pytest.mark.parametrize("config", [SMALL, measuring.CLASSROOM, measuring.MNIST64])
def test_the_tutorial_has_the_networks_of_the_course(config):
    config = replace(config, device="cpu")
    pixels = torch.zeros(config.batch_size, 1, *2 * [config.image_size], dtype=torch.uint8)
    course = Training(config, Images(pixels, "zeros"))
    tutorial = Tutorial(TensorDataset(pixels, pixels), config)
    for theirs, ours in (
        (tutorial.netG, course.generator),
        (tutorial.netD[0], course.discriminator),
    ):
        shapes = {name: p.shape for name, p in theirs.state_dict().items()}
        assert shapes == {name: p.shape for name, p in ours.state_dict().items()}


def test_the_tutorials_d_ends_in_a_sigmoid(tutorial, real):
    assert tutorial.netD(real).amin() > 0 and tutorial.netD(real).amax() < 1


def test_the_tutorials_weights_are_drawn_as_it_says(tutorial):
    convolutions = [m.weight.flatten() for m in tutorial.netG.modules() if hasattr(m, "stride")]
    assert torch.cat(convolutions).std().item() == pytest.approx(0.02, rel=0.05)
    scales = [m.weight for m in tutorial.netG.modules() if hasattr(m, "running_mean")]
    assert torch.cat(scales).mean().item() == pytest.approx(1, abs=0.02)


def test_the_tutorials_loss_is_that_of_logits(tutorial, real):
    """Step once on a copy by hand: its figures are those of the course's loss."""
    logits = tutorial.netD[0](real).detach()
    expected = F.binary_cross_entropy_with_logits(logits, torch.ones(4))
    loss_real, loss_d, loss_g, d_x, d_fake, d_fake_after = tutorial.step(real)
    assert loss_real == pytest.approx(expected.item(), rel=1e-5)
    assert d_x == pytest.approx(torch.sigmoid(logits).mean().item(), rel=1e-5)
    assert loss_d > loss_real and d_fake_after != d_fake
    assert loss_g >= -math.log(d_fake_after), "Jensen: the mean of -log is above -log of the mean"


def test_each_epoch_of_the_tutorial_shows_every_image_once(tutorial, real):
    assert isinstance(tutorial.loader.sampler, RandomSampler)
    tutorial.loader = DataLoader(tutorial.loader.dataset, 2, shuffle=True)  # without workers
    for _ in range(2):
        epoch = torch.cat([next(tutorial.batches) for _ in range(2)])
        assert torch.equal(epoch.flatten(1).sum(1).sort()[0], real.flatten(1).sum(1).sort()[0])


# Arithmetic


def test_the_work_of_a_step_is_what_a_hand_counts():
    """Multiply-adds for one image of 16x16 with width 8.

    G, layer by layer, inputs x kernel x outputs: 100 x 16 x 16 + 16 x 16 (4x4) x 16 x 8 +
    64 (8x8) x 8 x 16 x 1. D: 64 x 1 x 16 x 8 + 16 x 8 x 16 x 16 + 1 x 16 x 16 x 1.
    """
    g_first, g = 25_600, 25_600 + 32_768 + 8_192
    d_first, d = 8_192, 8_192 + 32_768 + 256
    forward = g + 3 * d  # D sees real images, and fake ones twice
    d_step = 2 * (d + d - d_first)  # weights, and inputs but the image, for both batches
    g_step = d + g + g - g_first  # D's inputs; G's weights, and inputs but z
    ours = 2 * (forward + d_step + g_step) / 1e9
    assert measuring.gflop_per_image("course", SMALL) == pytest.approx(ours, rel=1e-9)
    theirs = ours + 2 * d / 1e9  # and D's weights in G's step
    assert measuring.gflop_per_image("tutorial", SMALL) == pytest.approx(theirs, rel=1e-9)


def test_ratios_go_pair_by_pair():
    assert measuring.ratios([10, 20, 40], [30, 40, 60]) == (2, 1.5, 3)
    with pytest.raises(ValueError):
        measuring.ratios([1, 2], [1])


def test_the_pace_counts_the_timed_steps_only(monkeypatch):
    """A training whose first call takes 9 s, and then each step 0.5 s."""
    clock, asked = [0.0], []

    def run(steps):
        asked.append(steps)
        clock[0] += 0.5 * steps if len(asked) > 1 else 9.0

    monkeypatch.setattr(measuring.time, "perf_counter", lambda: clock[0])
    assert measuring.images_per_second(run, batch_size=10, seconds=20) == 20
    assert asked == [2, 2, 40]


def test_the_course_takes_as_many_steps_as_are_counted():
    """Two images in batches of 2 are one step an epoch; the preset ends after `epochs` of them."""
    images = Images(torch.zeros(2, 1, 16, 16, dtype=torch.uint8), "zeros")
    training = Training(replace(SMALL, batch_size=2, epochs=1, steps=None), images)
    assert training.total == 1
    for steps, finished in ((1, 1), (4, 5)):
        training.run(steps=steps)
        assert training.step == finished


def test_the_clock_stands_still_while_the_judge_looks(monkeypatch):
    clock = [100.0]

    def judged(generator):
        clock[0] += 50
        return generator

    monkeypatch.setattr(measuring.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(quality, "distance", judged)
    course = quality.Course("course", line=30)
    answers = []
    for step, value in ((1, 31.0), (2, 30.0)):
        clock[0] += 7
        answers.append(course.judge(step, value))
    assert answers == [False, True]
    assert course.found == [(1, 7, 31.0), (2, 14, 30.0)]


# Tables


def speed_rows():
    rows = []
    for program, paces in (("tutorial", (100.0, 200.0)), ("course", (300.0, 400.0))):
        where = {"setting": "small", "program": program}
        rows.append(measuring.row("speed-classroom", "gflop", 0.5, **where))
        for run, pace in enumerate(paces):
            rows.append(
                measuring.row("speed-classroom", "images_per_second", pace, run=run, **where)
            )
            rows.append(measuring.row("speed-classroom", "memory", 10.0 + run, run=run, **where))
    rows += [
        measuring.row("speed-classroom", "product float32", rate, setting="small", run=run)
        for run, rate in enumerate((500.0, 1000.0))
    ]
    return rows


def test_the_table_of_speeds():
    _, theirs, ours = speed.speed_table(speed_rows())
    # 100 x 0.5 of 500 and 200 x 0.5 of 1000: 10%; 300 x 0.5 of 500 and 400 x 0.5 of 1000: 25%
    assert theirs == ["small", "tutorial", "150", "1", "11", "0.500", "10%", "not available"]
    expected = ["small", "course", "350", "2.50 (2.00 to 3.00)", "11", "0.500", "25%"]
    assert ours == [*expected, "not available"]


def test_a_line_that_was_not_reached_is_not_a_time():
    rows = []
    for program, values in (("tutorial", (90.0, 31.0)), ("course", (50.0, 29.0))):
        for step, value in zip((100, 200), values):
            where = {"setting": 30.0, "program": program, "run": 0, "at": step}
            rows.append(measuring.row("quality", "seconds", step / 10, **where))
            rows.append(measuring.row("quality", "distance", value, **where))
    assert quality.quality_table(rows)[1:] == [
        ["tutorial", "0", "> 20", "200", "31.0"],
        ["course", "0", "20", "200", "29.0"],
    ]


def test_parts_replace_their_own_figures_only():
    old = [measuring.row(part, "seconds", 1.0) for part in ("startup", "equal")]
    new = [measuring.row("startup", "seconds", 2.0), measuring.row("machine", "torch", "2")]
    old.append(new[1])
    assert bench.replaced(old, new) == [new[1], new[0], old[1]]


def test_figures_of_another_machine_are_not_in_one_table_with_new_ones():
    old = [measuring.row("machine", "torch", "1"), measuring.row("equal", "seconds", 1.0)]
    new = [measuring.row("machine", "torch", "2"), measuring.row("startup", "seconds", 2.0)]
    assert bench.replaced(old, new) == new


def test_the_picture_of_scaling_draws_every_point():
    rows = [measuring.row("scaling", "product float32", 100.0)]
    paces = {("width", 8): 10.0, ("image_size", 128): 80.0}
    for setting, sizes in speed.SCALED.items():
        for size in sizes:
            where = {"setting": setting, "at": size}
            pace = paces.get((setting, size), 50.0)
            rows.append(measuring.row("scaling", "images_per_second", pace, **where))
            rows.append(measuring.row("scaling", "gflop", 1.0, **where))
    ax = speed.scaling_picture(rows)
    for panel, (setting, sizes) in zip(ax.figure.axes, speed.SCALED.items()):
        limit, measured = (line.get_xydata().tolist() for line in panel.lines)
        assert limit == [[size, 100] for size in sizes]
        assert measured == [[size, paces.get((setting, size), 50)] for size in sizes]
    assert "10% (width 8) to 80% (image size 128)" in ax.figure.get_suptitle()
    speed.plots.to_png(ax)


def test_the_command_refuses_a_part_that_is_not_there(capsys):
    assert bench.parse(["startup"]).parts == ["startup"]
    with pytest.raises(SystemExit):
        bench.parse(["startups"])
    assert "startups" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--pairs", "0"], ["--seconds", "-1"], ["--every", "0"], ["--out", "not/there"]]
)
def test_the_command_refuses_what_would_fail_after_minutes(arguments, capsys):
    with pytest.raises(SystemExit):
        bench.parse(arguments)
    name, value = arguments
    assert f"{name} is {value}" in capsys.readouterr().err


# What is stored


def test_stored_rows_are_of_one_machine_and_make_every_table():
    tables = bench.tables(read(RESULTS / "bench.csv"))
    assert {"bench_machine", "bench_speed", "bench_startup", "bench_quality"} <= set(tables)
    assert "torch" in tables["bench_machine"]
