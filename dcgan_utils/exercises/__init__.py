"""One checker for each exercise of the course, a module for each notebook.

A checker runs the reader's function on cases that catch the usual mistakes, and prints what it
expected, what it got and where to look. It never prints the solution.
"""

from .activations import (
    check_activation_backward,
    check_activation_numbers,
    check_dead_share,
    check_discriminator_activations,
)
from .batch_norm import (
    check_backward,
    check_batch_norm_predictions,
    check_generator_repair,
    check_group_norm,
)
from .building import (
    check_build_discriminator,
    check_mended_generator,
    check_small_generator,
    check_stuck_parameters,
)
from .conditional import (
    check_best_told,
    check_class_bias,
    check_label_maps,
    check_nearest_error,
)
from .convolution import (
    check_even_weights,
    check_secret_layer,
    check_sizes,
    check_transposed_convolution,
    check_upsampler,
)
from .diagnosing import check_alarm, check_clinic, check_leftover
from .discriminator import (
    check_order,
    check_receptive_field,
    check_scaled,
    check_ways_back,
)
from .judging import (
    check_cheat,
    check_comparison,
    check_divergence,
    check_frechet_predictions,
    check_nearest_moved,
)
from .latent_space import check_clean_direction, check_completion, check_norms
from .rules import check_instance_norm, check_luck, check_permutation
from .several import check_mean_of_shares, check_shares, check_statistics
from .the_game import check_best_discriminator, check_dirac_step, check_penalty
from .training import (
    check_discriminator_loss,
    check_generator_step,
    check_readings,
    check_to_gray_levels,
    check_training,
)

__all__ = [
    "check_activation_backward",
    "check_activation_numbers",
    "check_alarm",
    "check_backward",
    "check_batch_norm_predictions",
    "check_best_discriminator",
    "check_best_told",
    "check_build_discriminator",
    "check_cheat",
    "check_class_bias",
    "check_clean_direction",
    "check_clinic",
    "check_comparison",
    "check_completion",
    "check_dead_share",
    "check_dirac_step",
    "check_discriminator_activations",
    "check_discriminator_loss",
    "check_divergence",
    "check_even_weights",
    "check_frechet_predictions",
    "check_generator_repair",
    "check_generator_step",
    "check_group_norm",
    "check_instance_norm",
    "check_label_maps",
    "check_leftover",
    "check_luck",
    "check_mean_of_shares",
    "check_mended_generator",
    "check_nearest_error",
    "check_nearest_moved",
    "check_norms",
    "check_order",
    "check_penalty",
    "check_permutation",
    "check_readings",
    "check_receptive_field",
    "check_scaled",
    "check_secret_layer",
    "check_shares",
    "check_sizes",
    "check_small_generator",
    "check_statistics",
    "check_stuck_parameters",
    "check_to_gray_levels",
    "check_training",
    "check_transposed_convolution",
    "check_upsampler",
    "check_ways_back",
]
