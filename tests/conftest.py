"""One thread: small matrices are faster without others, and the bits do not depend on the machine's load."""

import torch

torch.set_num_threads(1)
