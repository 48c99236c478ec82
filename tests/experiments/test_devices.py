"""Nothing mixes devices: PyTorch's fake tensors pretend a GPU, and refuse to meet the CPU's."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from dcgan_utils.config import preset
from dcgan_utils.networks import new_networks
from experiments.failure_cases import CURES
from experiments.variants import PARTS

CONFIG = preset("classroom", width=4, batch_size=8)
EDITS = {variant.name: variant.edit for variant in PARTS["fast"]}
EDITS |= {name: CURES[name].edit for name in ("noise on D's input", "augmentation")}


def on_gpu(network, *inputs):
    """Return what a network computes with its state and inputs on the pretended GPU."""
    state = {name: value.to("cuda") for name, value in network.state_dict().items()}
    return functional_call(network, state, tuple(value.to("cuda") for value in inputs))


@pytest.mark.parametrize("name", EDITS)
def test_edited_networks_compute_on_their_device(name):
    random = torch.Generator().manual_seed(0)
    generator, discriminator = new_networks(CONFIG, 1, 10, random)
    EDITS[name](generator, discriminator, random)
    with FakeTensorMode(allow_non_fake_inputs=True):
        logits = on_gpu(discriminator, on_gpu(generator, torch.zeros(8, 100)))
    assert logits.shape == (8,) and logits.device.type == "cuda"
