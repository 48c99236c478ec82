"""Networks side by side compute what each of them would compute alone."""

import torch

from experiments.side_by_side import Linear


def test_each_network_has_a_linear_layer_of_its_own():
    torch.manual_seed(0)
    layer, x = Linear(3, 4, 2), torch.randn(3, 5, 4)
    together = layer(x)
    assert together.shape == (3, 5, 2)
    for out, one, weight, bias in zip(together, x, layer.weight, layer.bias):
        assert torch.allclose(out, torch.nn.functional.linear(one, weight.T, bias[0]), atol=1e-6)


def test_first_weights_are_within_the_limits_of_pytorchs_own_layer():
    torch.manual_seed(0)
    ours, theirs = Linear(200, 16, 8), torch.nn.Linear(16, 8)
    for own, other in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        assert other.abs().max() <= 1 / 4 and own.abs().max() <= 1 / 4
        assert own.abs().max() > 0.24
