"""Networks side by side compute what each of them would compute alone."""

import torch

from experiments.game import Linear


def test_each_network_has_a_linear_layer_of_its_own_with_pytorchs_first_weights():
    layer, x = Linear(200, 16, 8), torch.randn(200, 5, 16)
    alone = torch.nn.Linear(16, 8)
    for out, one, weight, bias in zip(layer(x), x, layer.weight, layer.bias):
        torch.testing.assert_close(out, torch.nn.functional.linear(one, weight.T, bias[0]))
    for own, theirs in ((layer.weight, alone.weight), (layer.bias, alone.bias)):
        assert theirs.abs().max() <= 1 / 4 and 0.24 < own.abs().max() <= 1 / 4
