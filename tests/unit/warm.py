"""Done once for all processes that tests start: imports, and the digits read from their file."""

import torch._dynamo  # noqa: F401  (which an optimizer imports: two seconds)

import dcgan_utils.progress
import dcgan_utils.runs  # noqa: F401
from dcgan_utils.data import load_embedded

load_embedded()
