from scipy import stats
from torch import nn


def with_new(norm):
    """Return a surgery that puts `norm(batch_norm)` in place of each batch norm."""
    return lambda layers: nn.Sequential(
        *(norm(layer) if isinstance(layer, nn.BatchNorm2d) else layer for layer in layers)
    )


EACH, ALL = "1 / math.comb(6, 3)", "1 - (1 - worse_in_all) ** 45"
AFFINE, GAMMA = "affine=True", "norm.weight.copy_(layer.weight)"
WRONG = [
    ("7.1", (EACH, "1 / 2"), "one seed each"),
    ("7.1", (EACH, "1 / 9"), "not nine cases"),
    ("7.1", (EACH, "0.5**9"), "not independent"),
    ("7.1", ("45 * worse_in_all", "2"), "need not be whole"),
    ("7.1", (ALL, "(1 - worse_in_all) ** 45"), "none of them"),
    ("7.1", (ALL, "0.5"), "that one change is not so"),
    ("7.1", ("comb(23, 3)", "comb(20, 3)"), "23 runs"),
    ("7.2", ("(2 / 3) ** 3", "(1 / 3) ** 3"), "all three collapse"),
    ("7.2", ("math.ceil", "math.floor"), "5.9%"),
    ("7.2", ("1 - 0.05 ** (1 / 20)", "3 / 20"), "rule of thumb"),
    ("7.2", ("1 - 0.05", "0.05"), "power of 20"),
    ("7.3", lambda layers: list(layers), "nn.Sequential"),
    ("7.3", ("layer = norm", "layer.reset_parameters()"), "changed the network"),
    ("7.3", lambda layers: layers, "expected an InstanceNorm2d.*got a BatchNorm2d"),
    ("7.3", ("layer in layers", "layer in [nn.Conv2d(1, 4, 4), *layers[1:]]"), "Layer 0"),
    ("7.3", ("layer in layers", "layer in type(layers)(*layers)[:-1]"), "Expected 9 layers"),
    ("7.3", with_new(lambda norm: nn.InstanceNorm2d(8)), "only if asked"),
    ("7.3", (AFFINE, "eps=0.8, affine=True"), "another ε"),
    ("7.3", (AFFINE, "affine=True, track_running_stats=True"), "running statistics"),
    ("7.3", (GAMMA, "pass"), "another γ or β"),
    ("7.4", ("return abs(", "return ("), "either direction"),
    ("7.4", ("in deals]", "in deals[1:]]"), "deal that happened"),
    ("7.4", ("observed - 1e-9", "observed"), "rounding"),
    ("7.4", (".mean()", ".sum()"), "differ in size"),
    ("7.4", lambda *x: stats.ttest_ind(*x).pvalue, "another test"),
]
SECRETS = ["0.90", "0.296", "comb(", "affine", "copy_", "num_features", "combinations", "1e-9"]
