import torch


def one_impulse(layer):
    """Return what a single bright pixel leaves behind: every stride-th weight, flipped."""
    x = torch.zeros(1, 1, 41, 41)
    x[..., 20, 20] = 1
    y = layer(x)[0, 0]
    rows, columns = y.nonzero(as_tuple=True)
    return y[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1], 1, 0


REPEAT = "small.repeat_interleave(stride, dim=2).repeat_interleave(stride, dim=3)"
FULL = "0.02 * torch.randn(inputs, outputs, kernel, kernel, generator=random)"
SWAP = "    weight = weight.transpose(0, 1)\n    _,"
FOUR, THREE = (f"kernel_size={side}, stride=2, padding=1" for side in (4, 3))
WRONG = [
    ("1.1", lambda: torch.nn.Module()(0), "stopped with NotImplementedError"),
    ("1.1", [28, 14, 13, 14, 13, 7], "Give the checker your function itself"),
    ("1.1", ("28", "26"), "Number 1.*both ends"),
    ("1.1", ("13, 7", "14, 7"), "Number 5.*last stamp"),
    ("1.2", one_impulse, "turned by 180°"),
    ("1.2", ("return kernel", "return kernel[1:]"), "fall on the padding"),
    ("1.2", ("return kernel", "return 0 * kernel"), "at its own place"),
    ("1.2", ("kernel, stride,", "kernel, 1,"), "stride 2.*got 1.*neighbors"),
    ("1.2", ("stride, 5 * stride - begins[0]", "stride, 0"), "padding 1.*got 0"),
    ("1.3", ("padding : height", "0 : height"), "padding cut off"),
    ("1.3", ("+= stamp", "= stamp"), "overlapping"),
    ("1.3", ("* weight)", "* weight.flip(2, 3))"), "orientation"),
    ("1.3", ("    _,", SWAP), "channels of weight swapped"),
    ("1.3", (".sum(0)", "[0]"), "all input channels"),
    ("1.4", ("kernel_size=4", "kernel_size=3"), "14x14 of 7x7, got 13x13"),
    ("1.4", (FOUR, f"{THREE}, output_padding=1"), "layer 1 to write equally often"),
    ("1.4", ("nn.ConvTranspose2d(8", "nn.Identity(), nn.ConvTranspose2d(8"), "two layers"),
    ("1.5", (REPEAT, FULL), r"got 0\.\d+\. Which weights"),
    ("1.5", ("0.02 *", "0 *"), "about 0.02, got 0"),
    ("1.5", ("= kernel // stride", "= 1; stride = kernel"), "16 equal weights"),
    ("1.5", ("return small", "return (0 * small + small[:1])"), "all alike"),
    ("1.5", ("repeat_interleave(stride", "repeat_interleave(2"), "use both"),
    ("1.5", (", generator=random", ""), "draw them from it"),
]
SECRETS = ["autograd", "repeat_interleave", "+=", "kernel_size=4", "28, 14", "is 13"]
