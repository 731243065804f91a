"""A run to be killed: `python killed_run.py CHECKPOINT [MOMENT COUNT | later SECONDS]`.

With a moment, the process kills itself there: before or after the COUNT-th call of a function, or
some seconds after its first save. Nothing of Python's runs after SIGKILL, nor after a SIGALRM that
Python does not know of: no finally, no buffer is flushed.
"""

import os
import signal
import sys

import numpy as np

import minisam as ms
from minisam import nn


def run(path):
    """Dropout, batch norm, momentum, SAM: everything whose state could get lost."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 6))
    y = rng.integers(3, size=120)
    data = ms.data.Dataset("tiny", x[:96], y[:96], x[96:], y[96:], classes=3)
    model = nn.Sequential(
        nn.Linear(6, 20), nn.BatchNorm(20), nn.Tanh(), nn.Dropout(0.3), nn.Linear(20, 3)
    )
    optimizer = ms.optimizers.Adam(ms.optimizers.cosine(0.01))
    return ms.train(
        model, data, ms.sam.SAM(0.1), optimizer, epochs=100, batch_size=16, checkpoint=path
    )


def die(moment, count):
    """Let the COUNT-th call of a function kill the process: "os.replace", "os.replace-after"."""
    name, _, after = moment.partition("-")
    module, call = name.split(".")
    owner = {"os": os, "np": np}[module]
    real, calls = getattr(owner, call), []

    def deadly(*args, **kwargs):
        calls.append(1)
        if len(calls) < count or after:
            real(*args, **kwargs)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, call, deadly)


def die_later(seconds):
    """Let the kernel end the process some time after its first save."""
    real = os.replace

    def save(*args, **kwargs):
        real(*args, **kwargs)
        os.replace = real
        signal.setitimer(signal.ITIMER_REAL, seconds)

    os.replace = save


if __name__ == "__main__":
    if sys.argv[2:3] == ["later"]:
        die_later(float(sys.argv[3]))
    elif len(sys.argv) > 2:
        die(sys.argv[2], int(sys.argv[3]))
    run(sys.argv[1])
