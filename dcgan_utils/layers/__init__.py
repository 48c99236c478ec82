"""The operations of notebooks 01 to 03, written out so that every step can be read.

They compute what PyTorch computes, slowly, and the tests compare both. The course's networks use
PyTorch's own; nothing here is used for training.
"""

from .activations import leaky_relu, relu, sigmoid, tanh
from .batch_norm import BatchNorm
from .checkerboards import checkerboard, write_counts
from .convolution import (
    conv2d,
    conv_transpose2d_by_matrix,
    conv_transpose2d_by_stamping,
    conv_transpose2d_by_zeros,
    convolution_matrix,
    insert_zeros,
    output_size,
    transposed_output_size,
)

__all__ = [
    "BatchNorm",
    "checkerboard",
    "conv2d",
    "conv_transpose2d_by_matrix",
    "conv_transpose2d_by_stamping",
    "conv_transpose2d_by_zeros",
    "convolution_matrix",
    "insert_zeros",
    "leaky_relu",
    "output_size",
    "relu",
    "sigmoid",
    "tanh",
    "transposed_output_size",
    "write_counts",
]
