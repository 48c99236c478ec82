"""What the program that most tutorials run draws, as it stands.

All 70,000 digits, resized and normalized by mean 0.1307 and deviation 0.3081; batches of 100, five
epochs; normal z; PyTorch's own first weights. Its G ends in Tanh, so it can reach gray levels from
0 to 0.44 only: samples are judged so, and with these stretched to the whole range. Each epoch's end
is kept in runs/, from where a run that was stopped goes on.
"""

import time
from pathlib import Path

import torch
from torch import Tensor

from dcgan_utils import judging, plots
from dcgan_utils.config import Config
from dcgan_utils.files import load, save
from dcgan_utils.sampling import draw_latents

from .. import store
from ..harness import Key, Result, Study
from ..measures import as_cells, judged
from ..tutorial import DEVIATION, MEAN, Tutorial, all_digits

EPOCHS, SAMPLES, SHOWN = 5, 10_000, 100
WIDTHS = {"32": 32, "64": 64}  # of the networks, by the size of the images
SEEDS = {"32": 3, "64": 1}
PLAN = [{"size": size, "seed": str(seed)} for size in WIDTHS for seed in range(SEEDS[size])]
KEPT = Path(__file__).parents[2] / "runs"
PARTS = ("netG", "netD", "optimizerG", "optimizerD")


def execute(key: Key) -> Result:
    """Train a run from where it was stopped, and judge G."""
    size, path = int(key["size"]), KEPT / f"tutorials-{'-'.join(key.values())}.pt"
    config = Config(
        image_size=size, width=WIDTHS[key["size"]], batch_size=100, seed=int(key["seed"])
    )
    tutorial = Tutorial(all_digits(size), config, initialized=False)
    KEPT.mkdir(exist_ok=True)
    epoch, seconds = 0, 0.0
    if path.exists():
        state = load(path)
        epoch, seconds = state["epoch"], state["seconds"]
        for part in PARTS:
            getattr(tutorial, part).load_state_dict(state[part])
    while epoch < EPOCHS:
        torch.manual_seed(1000 * config.seed + epoch)  # of z and of the order, so also after a stop
        began = time.perf_counter()
        for real, _ in tutorial.loader:
            tutorial.step(real.to(tutorial.device))
        epoch, seconds = epoch + 1, seconds + time.perf_counter() - began
        state = {part: getattr(tutorial, part).state_dict() for part in PARTS}
        save(path, state | {"epoch": epoch, "seconds": seconds})
    normalized = draw(tutorial, SAMPLES)
    gray = (normalized * DEVIATION + MEAN).clamp(0, 1)
    row = {"steps": str(EPOCHS * len(tutorial.loader)), "seconds": f"{seconds:.0f}"}
    row |= as_cells(judged(as_pixels(gray / (DEVIATION + MEAN))))
    row |= {"distance_unstretched": f"{judged(as_pixels(gray))['distance']:.4g}"}
    picture = plots.mosaic_png(as_pixels((normalized[:SHOWN] + 1) / 2), columns=10)
    path.unlink()
    return Result({"tutorials": [row]}, {f"tutorials/{size}-{key['seed']}.png": picture})


@torch.no_grad()
def draw(tutorial: Tutorial, count: int) -> Tensor:
    """Return G's images (count, 1, S, S) in [-1, 1], in evaluation mode."""
    z = draw_latents(count, tutorial.nz, "normal", torch.Generator().manual_seed(0))
    network = tutorial.netG.eval()
    return torch.cat([network(part.to(tutorial.device)).cpu() for part in z.split(500)])


def as_pixels(images: Tensor) -> Tensor:
    """Return images from 0 to 1 as (N, 1, 28, 28) uint8."""
    return judging.to_judged_size((255 * images).round().to(torch.uint8), "resize")


def lines_of(rows: list[store.Row]) -> list[list[str]]:
    """Return the lines of one machine's table, one for each size."""
    columns = ("distance", "distance_unstretched", "top_probability", "precision", "recall")
    lines = [["images", "seeds", "steps", *(name.replace("_", " ") for name in columns), "seconds"]]
    for size in dict.fromkeys(row["size"] for row in rows):
        own = store.select(rows, size=size)
        cells = [store.spread(store.numbers(own, name)) for name in (*columns, "seconds")]
        lines.append([f"{size}×{size}", str(len(own)), own[0]["steps"], *cells])
    return lines


STUDY = Study(
    name="tutorials",
    question="What does the program that most tutorials run draw, as it stands?",
    notebook="05",
    plan=PLAN,
    execute=execute,
    tables=lambda: {"tutorials": store.table(store.read("tutorials"), lines_of)},
    minutes=8,
    own={"number_format": "float32"},
    files=("tutorials",),
)
