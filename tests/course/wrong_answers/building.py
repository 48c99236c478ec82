"""Plausible wrong answers to the exercises of notebook 04, and what their hint must contain."""

from torch import nn

from dcgan_utils.exercises import (
    check_build_discriminator,
    check_mended_generator,
    check_small_generator,
    check_stuck_parameters,
)

SHAPES = [(16, 4, 4), (8, 8, 8), (3, 16, 16)]


def stuck(fresh=True, missing=True, test=lambda grad: not grad.any(), flip=False):
    """Return an answer to 4.2 with chosen faults."""

    def function(network, x):
        if fresh:
            network.zero_grad()
        network(x).sum().backward()
        return [
            name
            for name, parameter in network.named_parameters()
            if flip != (missing if parameter.grad is None else test(parameter.grad))
        ]

    return function


def discriminator(
    first_norm=False, slope=0.2, bias=False, last=True, stop=4, pool=False, double=True, end=()
):
    """Return a builder of discriminators with chosen faults."""

    def function(image_size, channels, width):
        layers = [nn.Conv2d(channels, width, 4, 2, 1, bias=bias)]
        layers += [nn.BatchNorm2d(width)] * first_norm + [nn.LeakyReLU(slope)]
        maps, side = width, image_size // 2
        while side > stop:
            after = 2 * maps if double else maps
            if pool:
                layers += [nn.Conv2d(maps, after, 3, 1, 1, bias=False), nn.MaxPool2d(2)]
            else:
                layers.append(nn.Conv2d(maps, after, 4, 2, 1, bias=False))
            layers += [nn.BatchNorm2d(after), nn.LeakyReLU(slope)]
            maps, side = after, side // 2
        if last:
            layers.append(nn.Conv2d(maps, 1, 4, 1, 0, bias=False))
        return nn.Sequential(*layers, *end)

    return function


def hidden(before, after, stride=2, padding=1, norm=True, bias=False, activation=nn.ReLU):
    layers = [nn.ConvTranspose2d(before, after, 4, stride, padding, bias=bias)]
    return layers + [nn.BatchNorm2d(after)] * norm + [activation()]


def generator(first=None, second=None, third=None, end=None):
    """Return a function that makes a generator in which chosen parts are as given."""

    def function():
        return nn.Sequential(
            *(first or hidden(100, 128, 1, 0)),
            *(second or hidden(128, 64)),
            *(third or hidden(64, 32)),
            *(end or [nn.ConvTranspose2d(32, 1, 4, 2, 1, bias=False), nn.Tanh()]),
        )

    return function


LINEAR = [nn.Flatten(), nn.Linear(100, 2048), nn.Unflatten(1, (128, 4, 4)), nn.BatchNorm2d(128)]
UPSAMPLE = [nn.Upsample(scale_factor=2), nn.Conv2d(64, 32, 3, padding=1), nn.BatchNorm2d(32)]
OUT = nn.ConvTranspose2d(32, 1, 4, 2, 1, bias=False)

WRONG = [
    (check_small_generator, lambda: SHAPES, "Expected a tuple"),
    (check_small_generator, lambda: (*SHAPES, 7600)[:3], "Expected two things"),
    (check_small_generator, lambda: (SHAPES[:2], 7600), "one shape for each layer, got 2"),
    (check_small_generator, lambda: ([(8, 4, 4), *SHAPES[1:]], 7600), "Layer 1: the number of ch"),
    (check_small_generator, lambda: ([(16, 2, 2), *SHAPES[1:]], 7600), "Layer 1: the side"),
    (check_small_generator, lambda: ([(4, 4, 16), *SHAPES[1:]], 7600), "order is channels"),
    (check_small_generator, lambda: (SHAPES, 7552), "Batch norm has parameters"),
    (check_small_generator, lambda: (SHAPES, 7648), "running statistics"),
    (check_small_generator, lambda: (SHAPES, 7606), "image itself gets no batch norm"),
    (check_small_generator, lambda: (SHAPES, 7627), "no bias"),
    (check_small_generator, lambda: (SHAPES, 4296), "each layer by itself"),
    (check_stuck_parameters, stuck(fresh=False), "after a step: .* made by this call"),
    (check_stuck_parameters, stuck(missing=False), "never called: spare.* is missing"),
    (check_stuck_parameters, stuck(test=lambda grad: (grad == 0).any()), "half .* whole tensor"),
    (check_stuck_parameters, stuck(test=lambda grad: False), "all off: 0.bias is missing"),
    (check_stuck_parameters, stuck(flip=True), "gets? a gradient|do learn"),
    (check_stuck_parameters, lambda network, x: ["main.99.weight"], "no parameter of the net"),
    (check_stuck_parameters, lambda network, x: 3, "Expected a list of names"),
    (check_stuck_parameters, lambda network, x: [network(x).sum().grad.any()], "AttributeError"),
    (check_build_discriminator, discriminator(first_norm=True), "layer 1: expected a LeakyReLU"),
    (check_build_discriminator, discriminator(slope=0.01), "negative_slope 0.2, got 0.01"),
    (check_build_discriminator, discriminator(bias=True), "bias False, got True"),
    (check_build_discriminator, discriminator(double=False), "out_channels 8, got 4"),
    (check_build_discriminator, discriminator(pool=True), r"kernel_size \(4, 4\), got \(3, 3\)"),
    (check_build_discriminator, discriminator(last=False), "expected 12 layers, got 11"),
    (check_build_discriminator, discriminator(end=[nn.Sigmoid()]), "expected 12 layers, got 13"),
    (check_build_discriminator, discriminator(stop=8), "layer 8"),
    (check_build_discriminator, lambda *settings: discriminator()(64, 3, 4), "At 16×16"),
    (check_build_discriminator, lambda *settings: [nn.Conv2d(3, 4, 4, 2, 1)], "nn.Sequential"),
    (check_mended_generator, generator(first=[*LINEAR, nn.ReLU()]), "Rule 2"),
    (check_mended_generator, generator(third=[*UPSAMPLE, nn.ReLU()]), "Rule 1"),
    (check_mended_generator, generator(end=[OUT, nn.Sigmoid()]), "Rule 4"),
    (check_mended_generator, generator(end=[OUT]), "Rule 4: G ends in ConvTranspose2d"),
    (
        check_mended_generator,
        generator(second=hidden(128, 64, norm=False)),
        "missing after layer 2",
    ),
    (check_mended_generator, generator(end=[OUT, nn.BatchNorm2d(1), nn.Tanh()]), "still there"),
    (check_mended_generator, generator(third=hidden(64, 32, activation=nn.LeakyReLU)), "3 and 4"),
    (check_mended_generator, generator(second=hidden(128, 64, bias=True)), "Layer 2.*without bias"),
    (
        check_mended_generator,
        generator(second=hidden(128, 32), third=hidden(32, 32)),
        "got .128, 32, 32, 1.",
    ),
    (check_mended_generator, generator(third=hidden(64, 32, 1, 0)), "Expected images of shape"),
]

# What a hint must not give away.
SECRETS = ["7600", "7,600", "zero_grad", "2 * maps", "nn.Tanh", "grad.any", "[(16, 4, 4)"]
