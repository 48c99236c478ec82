"""What notebook 11 takes a discriminator apart with, against outside oracles."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import nn

from dcgan_utils.data import load_source
from dcgan_utils.weights import trained_generator
from experiments import baselines, features, inside, kinds, looking


@pytest.fixture(scope="module")
def digits():
    return load_source("embedded").pixels[:200]


@pytest.fixture
def network(digits):
    made = inside.untrained(3)
    for layer in made.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.mul_(10)  # so that no layer fades
    return inside.resettled(made, [inside.images_for(digits)])


def state_of(network):
    return copy.deepcopy(network.state_dict())


def same(before, after):
    return all(torch.equal(before[name], after[name]) for name in before)


def test_statistics_are_the_means_over_the_batches_and_the_network_stays(network, digits):
    parts = inside.images_for(digits).split(50)
    before = state_of(network)
    ready = inside.resettled(network, parts)
    assert same(before, network.state_dict()) and not ready.training
    with torch.no_grad():
        maps = [network.main[:3](part) for part in parts]  # what the first batch norm gets
    norm = ready.main[3]
    assert torch.allclose(norm.running_mean, torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0))
    variances = torch.stack([m.transpose(0, 1).flatten(1).var(1) for m in maps])
    assert torch.allclose(norm.running_var, variances.mean(0), rtol=1e-4)


def test_features_are_pooled_maps_as_hooks_see_them(network, digits):
    seen = []
    hooks = [
        layer.register_forward_hook(lambda m, i, out: seen.append(out.clone()))
        for layer in network.main
        if isinstance(layer, nn.LeakyReLU)
    ]
    network(inside.images_for(digits))
    for hook in hooks:
        hook.remove()
    found = inside.features(network, digits)
    assert [matrix.shape[1] for matrix in found] == [512, 1024, 2048]
    for matrix, maps, pool in zip(found, seen, (4, 2, 1)):
        assert torch.allclose(matrix, F.max_pool2d(maps, pool).flatten(1), atol=1e-5)


def test_in_batches_means_training_mode_and_leaves_no_trace(network, digits):
    images, before = inside.images_for(digits), state_of(network)
    said = inside.answers_in_batches(network, images, 64)
    assert len(said) == 192 and same(before, network.state_dict()) and not network.training
    trained = copy.deepcopy(network).train()
    assert torch.allclose(said[64:128], trained(images[64:128]), atol=1e-4)
    assert torch.allclose(inside.answers(network, images)[3], network(images[3:4]), atol=1e-4)


def test_receptive_fields_are_where_gradients_are(network):
    for number, (side, step, start) in enumerate(looking.receptive_fields(network.main)[:3]):
        last = [i for i, layer in enumerate(network.main) if isinstance(layer, nn.Conv2d)][number]
        image = torch.randn(1, 1, 32, 32, requires_grad=True)
        maps = network.main[: last + 1](image)
        place = maps.shape[-1] // 2
        (gradient,) = torch.autograd.grad(maps[0, 0, place, place], image)
        touched = gradient[0, 0].abs().sum(1).nonzero()[:, 0]
        first = start + step * place
        assert (touched[0], touched[-1]) == (max(0, first), min(31, first + side - 1))
    assert looking.receptive_fields(network.main)[3][0] == 46


def test_the_plain_gradient_is_autograds_and_the_guided_one_the_rule_by_hand(network, digits):
    images = inside.images_for(digits[:5])
    wanted = images.clone().requires_grad_()
    network(wanted).sum().backward()
    assert torch.allclose(looking.gradient_maps(network, images), wanted.grad, atol=1e-5)
    values = torch.tensor([-1.0, -1, 2, 2], requires_grad=True)
    out = looking.Guided.apply(values, 0.2)
    assert out.tolist() == pytest.approx([-0.2, -0.2, 2, 2])
    out.backward(torch.tensor([3.0, -3, 3, -3]))
    assert values.grad.tolist() == [0, 0, 3, 0]
    assert not torch.allclose(looking.gradient_maps(network, images, True), wanted.grad)


def test_random_weights_come_from_the_top(network, digits):
    before = state_of(network)
    other = looking.with_random_top(network, 2, inside.images_for(digits), seed=0)
    assert same(before, network.state_dict())
    changed = [name for name, value in other.named_parameters() if (value != before[name]).any()]
    assert changed == ["main.5.weight", "main.6.weight", "main.8.weight"]


def test_rank_correlation_looks_at_sizes_only():
    some = torch.randn(3, 1, 4, 4)
    assert looking.rank_correlations(some, -(some**3)) == pytest.approx([1, 1, 1])
    assert looking.rank_correlations(some, 1 / some) == pytest.approx([-1, -1, -1])


class Sum(nn.Module):
    """A network whose logit is the sum of the pixels."""

    def forward(self, images):
        return images.flatten(1).sum(1)


def test_occlusion_tells_what_blackening_changes():
    images = torch.full((2, 1, 32, 32), -1.0)
    images[0, 0, 5, 6] = 1.0
    raised = looking.occlusion_maps(Sum(), images)
    assert raised.shape == (2, 49) and (raised[1] == 0).all()
    covers = [top <= 5 < top + 8 and left <= 6 < left + 8 for top, left in looking.windows(32)]
    assert torch.equal(raised[0], -2.0 * torch.tensor(covers))


def test_the_control_has_as_much_ink_and_does_not_touch():
    images = torch.full((1, 1, 32, 32), -1.0)
    images[0, 0, 0:8, 0:8] = 1  # the chosen square
    images[0, 0, 8:16, 8:15] = 1  # nearly as much, and it does not touch
    images[0, 0, 4:12, 4:8] = 1
    found = looking.control_places(images, torch.tensor([0]))
    assert looking.windows(32)[found] == (8, 8)


def test_a_square_is_exchanged_for_the_nearest_and_nothing_else():
    random = torch.Generator().manual_seed(0)
    images, others = (torch.rand(n, 1, 32, 32, generator=random) for n in (3, 20))
    places = torch.tensor([0, 48, 24])
    others[7, :, 24:, 24:] = images[1, :, 24:, 24:] + 0.01
    found = looking.exchanged(images, places, others)
    assert torch.equal(found[1, :, 24:, 24:], others[7, :, 24:, 24:])
    for image, before, place in zip(found, images, places):
        top, left = looking.windows(32)[place]
        changed = (image != before)[0].nonzero()
        assert changed.amin(0).tolist() == [top, left]
        assert changed.amax(0).tolist() == [top + 7, left + 7]


def test_most_exciting_images_count_once():
    maps = torch.zeros(4, 2, 2, 2)
    maps[0, 0] = torch.tensor([[9.0, 8], [7, 6]])
    maps[2, 0, 1, 0] = 5
    maps[3, 1, 0, 1] = 1
    images, places = looking.most_exciting(maps, 2)
    assert images[0].tolist() == [0, 2] and places[0].tolist() == [0, 2]
    assert (images[1, 0], places[1, 0]) == (3, 1)
    shares = looking.most_of_one_class(images, torch.tensor([1, 0, 1, 0]))
    assert shares[0] == 1


# Classifying


def test_each_feature_is_scaled_as_scikit_learn_does_unless_it_hardly_varies():
    random = torch.Generator().manual_seed(0)
    known, new = (torch.randn(n, 3, generator=random).double() * 5 + 2 for n in (50, 9))
    scaler = StandardScaler().fit(known.numpy())
    mine = features.to_unit_scale("each", known, new)
    for part, given in zip(mine, (known, new)):
        assert np.allclose(part, scaler.transform(given.numpy()), rtol=0.05)
    known[:, 1] = 0
    assert features.to_unit_scale("each", known, new)[1].abs().max() < 1000
    together = features.to_unit_scale("together", known)[0]
    assert torch.allclose(
        together.std(0)[0] / together.std(0)[2], known.std(0)[0] / known.std(0)[2]
    )


def test_what_is_chosen_is_chosen_without_the_test_digits():
    """Labels are the sign of one feature; one large feature of noise spoils a common scale."""
    random = torch.Generator().manual_seed(0)
    values = torch.randn(400, 20, generator=random)
    labels = (values[:, 0] > 0).long()
    values[:, 1:] *= 100
    known, test = values[:200], values[200:]
    error, scaling, _ = features.error_of(known, labels[:200], test, labels[200:])
    assert scaling == "each" and error < 0.2
    assert features.chosen(known, labels[:200])[0] == "each"
    assert features.chosen(known[:60], labels[:60])[0] == "each"  # in five turns


def test_principal_components_are_scikit_learns(digits):
    extract = baselines.principal_components(digits)
    mine = extract(digits)
    theirs = PCA(baselines.COMPONENTS).fit_transform(baselines.raw_pixels(digits).numpy())
    for k in (0, 1, 5):
        correlation = stats.pearsonr(mine[:, -1 - k].numpy(), theirs[:, k]).statistic
        assert abs(correlation) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_k_means_makes_as_many_features_as_d_has(digits):
    extract = baselines.k_means(digits, torch.Generator().manual_seed(0))
    found = extract(digits[:10])
    assert found.shape == (10, 3584) and (found >= 0).all() and found.std() > 0


@pytest.mark.slow
def test_the_taught_network_learns():
    images = load_source("embedded")
    model = baselines.taught(images.pixels[:300], images.labels[:300], 0, 100, 0.004)
    assert baselines.share_wrong(model, images.pixels[1000:1500], images.labels[1000:1500]) < 0.3


# Kinds of images


def test_kinds_are_what_their_names_say(digits):
    made = kinds.altered(digits, torch.Generator().manual_seed(0))
    for name, pixels in made.items():
        assert pixels.dtype == torch.uint8 and pixels.shape[1:] == (1, 28, 28), name
    assert torch.equal(made["upside down"][0, 0], torch.rot90(digits[0, 0], 2))
    networks = {"G": trained_generator()}
    seen = kinds.before_d(digits, digits, networks, torch.Generator().manual_seed(0))
    assert torch.equal(seen["black and white swapped"], -inside.images_for(digits))
    assert len(seen) == len(made) + 4 and seen["G"].shape == seen["noise"].shape
    halves = made["left half of one, right of another"]
    assert torch.equal(halves[..., :14], digits[..., :14])
    ink = [made[name].float().mean() / digits.float().mean() for name in ("blurred", "coarse, 8×8")]
    assert ink == pytest.approx([1, 1], abs=0.1)
    sharpness = [pixels.float().diff(dim=3).square().mean() for pixels in (digits, made["blurred"])]
    assert sharpness[1] < 0.6 * sharpness[0]
    assert len(kinds.other_hands()) == 1797 and len(kinds.letters().unique(dim=0)) > 400


def test_verdicts_compare_each_kind_with_held_out_digits(network, digits):
    images = inside.images_for(digits)
    settled = kinds.settled_on_both(network, images, -images)
    rows = kinds.verdicts(network, settled, {"held-out digits": images, "black": 0 * images - 1})
    assert len(rows) == 6
    for row in rows:
        if row["kind"] == "held-out digits":
            assert float(row["above"]) == 0.5
