import torch
import torch.nn.functional as F


def uncut(x, weight, stride, padding):
    """Return all stamps, as with no padding."""
    return F.conv_transpose2d(x, weight, stride=stride)


REPEAT = "small.repeat_interleave(stride, dim=2).repeat_interleave(stride, dim=3)"
FULL = "0.02 * torch.randn(inputs, outputs, kernel, kernel, generator=random)"
PIXELS = "weight.flatten(1).T @ x.flatten(1)"
FIRST = "weight[:1].flatten(1).T @ x[:1].flatten(1)"
FOUR, THREE = (f"kernel_size={side}, stride=2, padding=1" for side in (4, 3))
WRONG = [
    ("1.1", lambda: torch.nn.Module()(0), "stopped with NotImplementedError"),
    ("1.1", [28, 14, 13, 14, 13, 7, 32768, 1605632], "Give the checker your function itself"),
    ("1.1", ("28", "26"), "Number 1.*both ends"),
    ("1.1", ("13, 7", "14, 7"), "Number 5.*last stamp"),
    ("1.1", ("64 * 32 * 4 * 4", "4 * 4"), "Number 7.*one kernel. How"),
    ("1.1", ("weights * 7 * 7", "weights * 14 * 14"), "Number 8.*output pixels"),
    ("1.2", ("kernel_size=4", "kernel_size=3"), "14x14 of 7x7, got 13x13"),
    ("1.2", (FOUR, f"{THREE}, output_padding=1"), "layer 1 to write equally often"),
    ("1.2", ("nn.ConvTranspose2d(8", "nn.Identity(), nn.ConvTranspose2d(8"), "two layers"),
    ("1.3", uncut, "padding cut off"),
    ("1.3", ("weight.flatten", "weight.flip(2, 3).flatten"), "orientation"),
    ("1.3", ("weight.flatten", "weight.transpose(0, 1).flatten"), "channels of weight swapped"),
    ("1.3", (PIXELS, FIRST), "all input channels"),
    ("1.4", (REPEAT, FULL), r"period 2 below.*got 0\.\d+\. Which weights"),
    ("1.4", ("0.02 *", "0 *"), "about 0.02, got 0"),
    ("1.4", ("= kernel // stride", "= 1; stride = kernel"), "16 equal weights"),
    ("1.4", ("return small", "return (0 * small + small[:1])"), "all alike"),
    ("1.4", ("repeat_interleave(stride", "repeat_interleave(2"), "use both"),
    ("1.4", (", generator=random", ""), "draw them from it"),
]
SECRETS = ["F.fold", "repeat_interleave", "kernel_size=4", "28, 14", "is 13", "32768", "1605632"]
