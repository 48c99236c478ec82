"""Which of the usual remedies help, against what, at what cost?

Each treatment is given to the runs that it claims to cure, with three seeds, beside the same runs
untreated, and to a healthy one, to see what it costs. Each run is judged at its end by 5,000
samples of G itself.
"""

from dcgan_utils import judging
from dcgan_utils.data import load_images
from dcgan_utils.health import Diverged, variety

from ..failure_cases import TREATED, fewer, held_out_for, logits_of
from ..harness import Key, Result, Study
from ..measures import draw, has_collapsed, judged
from ..variants import new_training

SAMPLES = 5000  # that are judged
PLAN = {(case.name, case.treatment, str(case.seed)): case for case in TREATED}


def execute(key: Key) -> Result:
    """Train one run to its end and judge it."""
    case = PLAN[key["run"], key["treatment"], key["seed"]]
    config = case.config
    whole = load_images(config)
    images = fewer(whole, case.images)
    training = new_training(case.variant, config, images)
    diverged = False
    try:
        training.run()
    except Diverged:
        diverged = True
    pixels = draw(training.generator, config, SAMPLES)
    real = variety(judging.to_judged_size(whole.pixels[:SAMPLES], config.fit))
    found = judged(pixels)
    values = {
        "distance": found["distance"],
        "variety": float(variety(pixels)) / float(real),
        "most_frequent": float(judging.classify(pixels).shares.max()),
        "loss_d": training.history["loss_d"][-len(training.history) // 4 :].mean().item(),
    }
    shown = {"known": images, "held_out": held_out_for(config)}
    values |= logits_of(training.discriminator, shown)
    gone = diverged or has_collapsed(values["variety"], 1.0, values["most_frequent"])
    row: dict[str, object] = {name: f"{value:.4g}" for name, value in values.items()}
    row |= {"steps": training.step, "seconds": f"{training.seconds:.0f}"}
    return Result({"cures": [row | {"collapsed": int(gone)}]})


STUDY = Study(
    "08",
    [{"run": run, "treatment": treatment, "seed": seed} for run, treatment, seed in PLAN],
    execute,
    tables=dict,
    minutes=0.7,
    files=("cures",),
)
