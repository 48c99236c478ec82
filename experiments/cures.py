"""What is said to help against failing, tried: `python -m experiments.cures`.

Needs MNIST; about half a minute a run. Each treatment is given to the runs that it claims to cure,
with three seeds, beside the same runs untreated, and to a healthy one, to see what it costs. Each
run is judged at its end by 5,000 samples of G itself, and has a line in results/cures.csv. Lines
that are there are not made again; `--list` names what is left.
"""

import contextlib
from typing import Any

import torch

from dcgan_utils import judging
from dcgan_utils.data import load_images
from dcgan_utils.files import write_file
from dcgan_utils.health import Diverged, variety

from .command import each_in_a_process, new_parser, require_mnist
from .failures import held_out_for, logits_of
from .patients import TREATED, Patient, fewer
from .rules import SAMPLES, draw, has_collapsed, judged, machine
from .tables import RESULTS, read, to_csv
from .variants import new_training


def treat(patient: Patient) -> dict[str, Any]:
    """Train one run to its end and judge it; return its line."""
    torch.set_num_threads(1)
    config = patient.config
    whole = load_images(config)
    images = fewer(whole, patient.images)
    training = new_training(patient.variant, config, images)
    with contextlib.suppress(Diverged):
        training.run()
    pixels = draw(training.generator, config, SAMPLES)
    shares = judging.classify(pixels).shares
    real = float(variety(judging.to_judged_size(whole.pixels[:SAMPLES], config.fit)))
    late = training.history["loss_d"][-len(training.history) // 4 :].mean().item()
    values = {
        "distance": judged(pixels)["distance"],
        "variety": float(variety(pixels)) / real,
        "most_frequent": float(shares.max()),
        "loss_d": late,
    }
    shown = {"known": images, "held_out": held_out_for(config)}
    values |= logits_of(training.discriminator, shown)
    row: dict[str, Any] = cells(patient) | {"steps": training.step}
    row |= {name: f"{value:.4g}" for name, value in values.items()}
    gone = training.step < training.total
    gone = gone or has_collapsed(values["variety"], 1.0, values["most_frequent"])
    return row | {"collapsed": int(gone), "seconds": f"{training.seconds:.0f}"}


def cells(patient: Patient) -> dict[str, str]:
    """Return the cells that name a run and its machine."""
    named = {"run": patient.name, "treatment": patient.treatment, "seed": str(patient.seed)}
    return named | machine(1)


def main() -> None:
    """Make the lines that this machine has not made yet."""
    parser = new_parser("cures", __doc__)
    parser.add_argument("--list", action="store_true", help="name what is left, and stop")
    options = parser.parse_args()
    require_mnist()
    path = RESULTS / "cures.csv"
    rows: list[dict[str, Any]] = read(path)
    there = [{key: row[key] for key in cells(TREATED[0])} for row in rows]
    left = [patient for patient in TREATED if cells(patient) not in there]
    print(f"{len(left)} of {len(TREATED)} runs are left, about {len(left) / 3:.0f} minutes.")
    if options.list:
        print("\n".join(f"{p.name}, {p.treatment}, seed {p.seed}" for p in left))
        return
    for number, (patient, row) in enumerate(each_in_a_process(treat, left), 1):
        rows.append(row)
        write_file(path, to_csv(rows))
        print(f"{number} of {len(left)}: {patient.name}, {patient.treatment}, seed {patient.seed}:")
        print(f"    {row['distance']}{' collapsed' * row['collapsed']}", flush=True)


if __name__ == "__main__":
    main()
