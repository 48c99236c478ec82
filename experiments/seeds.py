"""Train and judge the `classroom` preset with several seeds: `python -m experiments.seeds`.

Two to three minutes a run, five seeds on MNIST and three on the embedded digits. Each run lies in
runs/experiments/; what is there is not repeated, and what was interrupted goes on. One row a run in
results/seeds.csv, with the machine it was made on; the verdict of seed 0 in results/judgment.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcgan_utils import runs
from dcgan_utils.config import Config, UserError, preset
from dcgan_utils.data import load_images
from dcgan_utils.files import write_file
from dcgan_utils.progress import TerminalProgress
from dcgan_utils.training import Training

from .tables import RESULTS, markdown, read, to_csv

RUNS = Path(__file__).parents[1] / "runs" / "experiments"
OUT = RESULTS / "seeds.csv"
WANTED = [("mnist", seed) for seed in range(5)] + [("embedded", seed) for seed in range(3)]


def folder(data: str, seed: int) -> Path:
    """Return where a run is."""
    return RUNS / f"classroom-{data}-{seed}"


def trained(place: Path, config: Config) -> tuple[Training, dict]:
    """Return the finished run in a folder and its summary, training it if need be."""
    if place.exists():
        training = runs.load_training(runs.checkpoint_of(place))
        stored = (training.config.data, training.config.seed, training.config.steps)
        if stored != (config.data, config.seed, config.steps):
            raise UserError(f"{place} was made with other settings. Delete it and start again.")
    else:
        training = Training(config, load_images(config))
        runs.create(training, place)
    with TerminalProgress(training) as progress:
        return training, runs.complete(training, place, progress)


def row(data: str, seed: int) -> dict[str, object]:
    """Return a run's row, training and judging it if need be."""
    training, summary = trained(folder(data, seed), preset("classroom", data=data, seed=seed))
    table, _, content = runs.judge(training.sampler, training.config)
    runs.store_judgment(folder(data, seed), table, content)
    if (data, seed) == WANTED[0]:
        write_file(RESULTS / "judgment.md", table.encode())
    values = {name: metric["value"] for name, metric in content["samples"].items()}
    quarter = training.history.rows[-len(training.history) // 4 :].mean(0)[2:].tolist()
    names = training.history.names
    summary["number_format"] = summary.pop("precision")  # of the convolutions
    del summary["processes"]
    return (
        summary
        | {name: f"{value:.2f}" for name, value in zip(names, quarter)}
        | {
            "distance": f"{values['distance']:.1f}",
            "top_probability": f"{values['top_probability']:.3f}",
            "rarest": f"{values['rarest']:.1%}",
            "most_frequent": f"{values['most_frequent']:.1%}",
            "to_training": f"{values['to_training']:.2f}",
        }
    )


def seeds_table(rows: list[dict[str, str]]) -> str:
    """Return one table for each machine and data set, in Markdown."""
    columns = {
        "seed": "seed",
        "seconds": "seconds",
        "images_per_second": "images/s",
        "distance": "distance",
        "top_probability": "top probability",
        "rarest": "rarest class",
        "most_frequent": "most frequent",
        "to_training": "to training digits",
        "loss_d": "Loss_D",
        "loss_g": "Loss_G",
        "d_real": "D(x)",
        "d_fake_before": "D(G(z))",
    }
    parts = []
    for key in dict.fromkeys(map(made_on, rows)):
        own = [row for row in rows if made_on(row) == key]
        lines = [list(columns.values()), *([row[name] for name in columns] for row in own)]
        parts.append(f"{', '.join(key)}:\n\n{markdown(lines)}")
    return "\n\n".join(parts)


def made_on(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the data and the machine of a row: only rows that agree in them share a table."""
    return row["data"], row["device"], row["number_format"], f"torch {row['torch']}"


def main() -> None:
    """Make the rows that this machine has not made yet."""
    rows: list[dict] = read(OUT)
    for data, seed in WANTED:
        new = row(data, seed)
        same = [(made_on(old), str(old["seed"])) == (made_on(new), str(seed)) for old in rows]
        rows = [old for old, gone in zip(rows, same) if not gone] + [new]
        write_file(OUT, to_csv(rows))
    print(seeds_table(rows))


if __name__ == "__main__":
    main()
