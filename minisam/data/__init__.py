"""Real data as arrays: find a file, check its hash, decode it, standardise it, cut it in batches.

Nothing is ever downloaded: `load` reads what is on this machine and says what is missing.
"""

from minisam.data.batching import batches
from minisam.data.cifar import decode_delta, read_cifar_batch
from minisam.data.dataset import Dataset
from minisam.data.files import DamagedFileError
from minisam.data.idx import read_idx
from minisam.data.loading import load
from minisam.data.noise import NoisyLabels, pair_noise, symmetric_noise

__all__ = [
    "DamagedFileError",
    "Dataset",
    "NoisyLabels",
    "batches",
    "decode_delta",
    "load",
    "pair_noise",
    "read_cifar_batch",
    "read_idx",
    "symmetric_noise",
]
