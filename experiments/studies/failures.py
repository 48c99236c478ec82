"""What do failing runs look like, and which alarms go off?

Each run of `failure_cases` once, the clinic's eight among them.

  results/failures.csv     a line for each report: the curves, and what else one would look at
  results/failures/        samples of the same 16 latent vectors at eight moments of each run
  dcgan_utils/exercises/clinic.csv   the clinic's lines, without what would give a run away

Nothing is averaged here: all is of G itself. A run that diverges ends before its chart does.
"""

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from dcgan_utils import judging, plots
from dcgan_utils.data import load_images
from dcgan_utils.health import Diverged, Report
from dcgan_utils.sampling import sample

from ..failure_cases import CLINIC, HEALTHY, SICK, fewer, held_out_for, logits_of
from ..harness import Key, Result, Study
from ..measures import draw
from ..variants import new_training

DRAWN = 256  # samples whose classes are counted
MOMENTS = (25, 75, 150, 300, 500, 800, 1100, 1500)  # steps of which samples are kept
CASES = {(case.name, str(case.seed)): case for case in (*SICK, *HEALTHY, *CLINIC)}


def execute(key: Key) -> Result:
    """Record one run: at each report, what can be known of it."""
    case = CASES[key["name"], key["seed"]]
    training = new_training(case.variant, case.config, fewer(load_images(case.config), case.images))
    networks = {"g": training.generator, "d": training.discriminator}
    shown = {"known": training.images, "held_out": held_out_for(case.config)}
    rows: list[dict[str, str]] = []
    moments: list[Tensor] = []  # (16, C, S, S) each

    def record(report: Report) -> None:
        row: dict[str, float] = {"step": report.step, **report.metrics}
        for name, seen in (("real", report.real), ("fake", report.fake)):
            row |= {f"{name}_{key}": value for key, value in seen._asdict().items()}
        row["mode"] = networks["g"].training  # 1 for training, 0 for evaluation
        for name, network in networks.items():  # as its last step left it
            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            row[f"gradient_{name}"] = get_total_norm(gradients).item()
        row |= logits_of(networks["d"], shown)
        drawn = judging.classify(draw(networks["g"], case.config, DRAWN))
        row["most_frequent"] = drawn.shares.max()
        rows.append({key: f"{value:.4g}" for key, value in row.items()})
        if report.step in MOMENTS:
            moments.append(sample(networks["g"], training.fixed_latents[:16]))

    try:
        training.run(on_report=record)
    except Diverged:
        if not moments:  # nothing to keep but that
            raise
    files = {}
    if case not in HEALTHY[1:]:
        files[f"failures/{case.picture}"] = plots.mosaic_png(torch.cat(moments), columns=16)
    return Result({"failures": rows}, files)


PLAN = [{"name": name, "seed": seed} for name, seed in CASES]
STUDY = Study("05, 08", PLAN, execute, dict, minutes=0.6, files=("failures",))
