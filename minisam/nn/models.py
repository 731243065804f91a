"""Three models of growing size: a multilayer perceptron, a CNN, a small ResNet."""

from collections.abc import Sequence
from itertools import pairwise

from minisam.autodiff.errors import ShapeError
from minisam.nn.containers import Residual, Sequential
from minisam.nn.images import Conv2d, GlobalAvgPool2d, MaxPool2d
from minisam.nn.layer import Layer, Shape
from minisam.nn.layers import Flatten, Linear, ReLU, Sigmoid, Tanh
from minisam.nn.normalization import BatchNorm


def mlp(sizes: Sequence[int], activation: type[Layer] = ReLU) -> Sequential:
    """Build a multilayer perceptron; images are flattened.

    Parameters
    ----------
    sizes : sequence of int
        Width of the input, of each hidden layer and of the output.
    activation : type of Layer
        Between the linear layers. Initial weights follow He for relu-like ones, Glorot for tanh
        and sigmoid.

    Returns
    -------
    Sequential
        The model.

    Raises
    ------
    ValueError
        Fewer than two sizes, or one below 1.

    Examples
    --------
    >>> model = mlp([64, 32, 10])
    >>> model.size
    2410
    """
    if not hasattr(sizes, "__len__"):
        raise TypeError(f"mlp: sizes must be a list such as [64, 32, 10], got {sizes}.")
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"mlp: sizes {list(sizes)}; give input and output width, each at least 1.")
    scheme = "glorot" if activation in (Tanh, Sigmoid) else "he"
    layers: list[Layer] = [Flatten()]
    for n_in, n_out in pairwise(sizes):
        layers += [Linear(n_in, n_out, scheme), activation()]
    return Sequential(*layers[:-1], input_shape=(sizes[0],))


def cnn(
    input_shape: Shape, classes: int, channels: Sequence[int] = (16, 32), hidden: int = 64
) -> Sequential:
    """Build a CNN: stages of convolution 3×3, relu and max-pool 2×2, then a hidden layer.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of an image.
    classes : int
        Width of the output.
    channels : sequence of int
        Output channels of each stage.
    hidden : int
        Width of the hidden layer.

    Returns
    -------
    Sequential
        The model.

    Raises
    ------
    ShapeError
        The shape is not one of images.
    ValueError
        The images are too small for so many stages.

    Examples
    --------
    >>> cnn((1, 8, 8), 10).size
    13706
    """
    c_in, *size = _image(input_shape, "cnn")
    if min(size) >> len(channels) < 1:
        raise ValueError(
            f"cnn: images of shape {input_shape} are too small to be halved {len(channels)} times; "
            "give fewer channels. A shape is (channels, height, width)."
        )
    layers: list[Layer] = []
    for c_out in channels:
        layers += [Conv2d(c_in, c_out, 3, padding=1), ReLU(), MaxPool2d(2)]
        c_in = c_out
    layers.append(Flatten())
    (features,) = Sequential(*layers).output_shape(input_shape)
    layers += [Linear(features, hidden), ReLU(), Linear(hidden, classes)]
    return Sequential(*layers, input_shape=input_shape)


def resnet(
    input_shape: Shape, classes: int, width: int = 16, blocks: Sequence[int] = (1, 1, 1)
) -> Sequential:
    """Build a small residual network with batch norm; ``blocks=(1, 1, 1)`` is ResNet-8.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of an image.
    classes : int
        Width of the output.
    width : int
        Channels of the first stage; each later stage doubles them and halves the image.
    blocks : sequence of int
        Residual blocks in each stage.

    Returns
    -------
    Sequential
        The model; evaluate it with ``statistics=model.statistics(w, batches)``.

    Raises
    ------
    ShapeError
        The shape is not one of images.

    Examples
    --------
    >>> resnet((3, 32, 32), 10).size
    78042
    """
    layers: list[Layer] = [
        Conv2d(_image(input_shape, "resnet")[0], width, 3, padding=1, bias=False),
        BatchNorm(width),
        ReLU(),
    ]
    c_in = width
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            layers += [_block(c_in, width * 2**stage, stride), ReLU()]
            c_in = width * 2**stage
    layers += [GlobalAvgPool2d(), Linear(c_in, classes)]
    return Sequential(*layers, input_shape=input_shape)


def _image(shape: Shape, model: str) -> Shape:
    if len(shape) != 3:
        raise ShapeError(
            f"{model}: input_shape {shape}; expected that of an image, (channels, height, width). "
            "For vectors use mlp."
        )
    return shape


def _block(c_in: int, c_out: int, stride: int) -> Residual:
    body = Sequential(
        Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False),
        BatchNorm(c_out),
        ReLU(),
        Conv2d(c_out, c_out, 3, padding=1, bias=False),
        BatchNorm(c_out),
    )
    if stride == 1 and c_in == c_out:
        return Residual(body)
    shortcut = Sequential(Conv2d(c_in, c_out, 1, stride=stride, bias=False), BatchNorm(c_out))
    return Residual(body, shortcut)
