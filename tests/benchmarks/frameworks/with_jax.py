"""JAX, every task one jitted function."""

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from workloads import LR, MOMENTUM, RHO, evaluate  # noqa: E402


class Layers:
    """What `evaluate` calls."""

    @staticmethod
    def dense(x, its, *_):
        return x @ its[0] + its[1]

    @staticmethod
    def relu(x, _):
        return jax.nn.relu(x)

    @staticmethod
    def conv(x, its, c_in, c_out, size, stride, padding, bias):
        pads = [(padding, padding)] * 2
        y = jax.lax.conv_general_dilated(x, its[0], (stride, stride), pads)
        return y + its[1][:, None, None] if bias else y

    @staticmethod
    def norm(x, its, *_):
        mean = x.mean((0, 2, 3), keepdims=True)
        var = x.var((0, 2, 3), keepdims=True)
        scale, shift = (p[:, None, None] for p in its)
        return (x - mean) * jax.lax.rsqrt(var + 1e-5) * scale + shift

    @staticmethod
    def pool(x, _):
        window = (1, 1, 2, 2)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

    @staticmethod
    def average(x, _):
        return x.mean((2, 3))

    @staticmethod
    def flatten(x, _):
        return x.reshape(len(x), -1)


def tasks(workload, variant):
    """As the package says."""
    x, y, w, v = (jnp.asarray(a) for a in workload.data())
    rows = jnp.arange(len(y))
    state = {"w": w, "momentum": jnp.zeros_like(w)}

    def loss(w):
        logits = evaluate(Layers, workload.layers, iter(workload.split(w)), x)
        return -jnp.mean(jax.nn.log_softmax(logits)[rows, y])

    gradient = jax.grad(loss)

    def perturbed(w):
        g = gradient(w)
        return w + g * (RHO / jnp.linalg.norm(g))

    @jax.jit
    def update(w, momentum):
        momentum = MOMENTUM * momentum + gradient(perturbed(w))
        return w - LR * momentum, momentum

    def sam_step():
        state["w"], state["momentum"] = update(state["w"], state["momentum"])
        return state["w"].block_until_ready()

    value_and_gradient = jax.jit(jax.value_and_grad(loss))
    hvp = jax.jit(lambda w, v: jax.jvp(gradient, (w,), (v,))[1])
    second = jax.jit(jax.grad(lambda w: loss(perturbed(w))))
    return {
        "gradient": lambda: value_and_gradient(w)[1].block_until_ready(),
        "sam": sam_step,
        "hvp": lambda: hvp(w, v).block_until_ready(),
        "second": lambda: second(w).block_until_ready(),
    }


def to_numpy(vector):
    """One vector already."""
    return np.asarray(vector)
