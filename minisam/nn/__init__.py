"""Layers and models: pure functions of one parameter vector."""

from minisam.nn.containers import Residual, Sequential
from minisam.nn.images import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d
from minisam.nn.layer import Layer, per_example_gradients
from minisam.nn.layers import (
    GELU,
    Dropout,
    Flatten,
    Linear,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from minisam.nn.losses import cross_entropy, mse
from minisam.nn.models import cnn, mlp, resnet
from minisam.nn.normalization import BatchNorm, LayerNorm

__all__ = [
    "GELU",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "Layer",
    "LayerNorm",
    "Linear",
    "MaxPool2d",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "cnn",
    "cross_entropy",
    "mlp",
    "mse",
    "per_example_gradients",
    "resnet",
]
