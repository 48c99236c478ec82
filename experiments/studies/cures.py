"""Which of the usual remedies help, against what, at what cost?

Each treatment is given to the runs that it claims to cure, with three seeds, beside the same runs
untreated, and to a healthy one, to see what it costs. Each run is judged at its end by 5,000
samples of G itself. "Longer" is three times the steps: what is behind may only be slower.
"""

from dcgan_utils import health, judging
from dcgan_utils.data import load_images
from dcgan_utils.losses import D_WINS

from ..failure_cases import TREATED, fewer, held_out_for, logits_of
from ..harness import Key, Result, Study
from ..measures import draw, has_collapsed, judged
from ..variants import new_training

SAMPLES = 5000  # that are judged
PLAN = {(case.name, case.treatment, str(case.seed)): case for case in TREATED}
ALARMS = {D_WINS: "D wins", health.ALIKE: "alike", health.COPIES: "copies", health.PALE: "pale"}


def execute(key: Key) -> Result:
    """Train one run to its end, note when which alarm goes off, and judge it."""
    case = PLAN[key["run"], key["treatment"], key["seed"]]
    config = case.config
    whole = load_images(config)
    images = fewer(whole, case.images)
    training = new_training(case.variant, config, images)
    alarms: list[str] = []
    training.run(
        lambda report: alarms.extend(
            f"{ALARMS[said]} {report.step}" for said in report.warnings if said in ALARMS
        )
    )
    pixels = draw(training.generator, config, SAMPLES)
    found = judged(pixels)
    values = {key: found[key] for key in ("distance", "most_frequent")}
    real = health.variety(judging.to_judged_size(whole.pixels[:SAMPLES], config.fit))
    values["variety"] = float(health.variety(pixels) / real)
    values |= logits_of(training.discriminator, {"known": images, "held_out": held_out_for(config)})
    gone = has_collapsed(values["variety"], 1.0, values["most_frequent"])
    row: dict[str, object] = {**values, "collapsed": int(gone), "steps": training.step}
    row |= {"seconds": round(training.seconds), "alarms": "; ".join(alarms) or "none"}
    return Result({"cures": [row]})


KEYS = [dict(zip(("run", "treatment", "seed"), names)) for names in PLAN]
STUDY = Study("08", KEYS, execute, dict, minutes=0.7, files=("cures",))
