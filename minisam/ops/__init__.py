"""The rules: one line of mathematics per primitive, under NumPy's names.

NumPy's own functions find these rules when an argument is a Tensor, so most code just calls
``np.exp``. What NumPy does not have is named here, and ``help(minisam.ops.numpy_rules)`` lists the
rest.
"""

from minisam.ops.classification import cross_entropy
from minisam.ops.convolution import conv2d
from minisam.ops.dropout import dropout
from minisam.ops.elementwise import gelu, relu, sigmoid, silu, softplus
from minisam.ops.numpy_rules import install
from minisam.ops.pooling import avg_pool2d, global_avg_pool2d, max_pool2d
from minisam.ops.reductions import log_softmax, logsumexp, softmax

__all__ = [
    "avg_pool2d",
    "conv2d",
    "cross_entropy",
    "dropout",
    "gelu",
    "global_avg_pool2d",
    "log_softmax",
    "logsumexp",
    "max_pool2d",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
]

install()
