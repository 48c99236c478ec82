"""Make the pictures of README and RESULTS: `make figures`, a minute if the runs are there.

The runs are those of `experiments.seeds`; what is missing is trained first, two to three minutes a
run. `python -m experiments.bench scaling` makes scaling.png, `python -m figures.house` the map.
"""

from pathlib import Path

import torch

from dcgan_utils import plots
from dcgan_utils.config import preset
from dcgan_utils.files import write_file
from experiments.seeds import WANTED, folder, trained

HERE = Path(__file__).parent
PER_SEED = 24  # samples shown of each seed


def main() -> None:
    """Train what is missing and write every picture."""
    samples: dict[str, list] = {}
    for data, seed in WANTED:
        training, _ = trained(folder(data, seed), preset("classroom", data=data, seed=seed))
        samples.setdefault(data, []).append(training.frames[training.total][:PER_SEED])
    for data, rows in samples.items():
        title = f"The first {PER_SEED} samples of seeds 0 to {len(rows) - 1}, one row each"
        ax = plots.image_grid(torch.cat(rows), title, columns=PER_SEED)
        write_file(HERE / f"seeds_{data}.png", plots.to_png(ax))
    write_file(HERE / "animation.png", (folder(*WANTED[0]) / "animation.png").read_bytes())


if __name__ == "__main__":
    main()
