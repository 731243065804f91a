"""Speed, as ratios measured in one run: `python tests/benchmarks/run.py [--json FILE]`.

The contestants of a workload are driven in turn (A B C A B C …) and each round gives one ratio, so
that what else the machine does meanwhile hits all alike; the medians of the rounds are printed. All
start from the same weights and data, and their gradients are compared before anything is timed.
"""

import argparse
import json
import os
import statistics
import sys
import time
from functools import partial
from itertools import pairwise

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is imported, or it has no effect

import autograd  # noqa: E402
import autograd.numpy as anp  # noqa: E402
import numpy as np  # noqa: E402
from autograd.misc.flatten import flatten  # noqa: E402
from autograd.scipy.special import logsumexp  # noqa: E402

import minisam as ms  # noqa: E402

WORKLOADS = {
    "W1: MLP 784-512-512-10, batch 128, float32": ((784, 512, 512, 10), 128, "float32"),
    "W2: MLP 64-32-10, batch 32, float64": ((64, 32, 10), 32, "float64"),
}
LIMITS = {  # ratio -> the most it may be
    ("W1", "minisam / by hand"): 1.25,
    ("W2", "minisam / by hand"): 2.0,
    ("W2", "minisam / autograd (list)"): 0.2,
    ("W1", "HVP / gradient"): 4.0,
    ("W2", "HVP / gradient"): 4.0,
}


def views(w, sizes):
    """Weights and biases as views of the vector, as nn.mlp lays them out."""
    at, found = 0, []
    for n_in, n_out in pairwise(sizes):
        middle, stop = at + n_in * n_out, at + n_in * n_out + n_out
        found.append((w[at:middle].reshape(n_in, n_out), w[middle:stop]))
        at = stop
    return found


def by_hand(x, y, sizes):
    """The gradient as one writes it in NumPy, with a stable cross-entropy."""
    rows = np.arange(len(y))

    def value_and_gradient(w):
        layers = views(w, sizes)
        inputs, h = [], x
        for k, (weight, bias) in enumerate(layers):
            inputs.append(h)
            h = h @ weight + bias
            if k < len(layers) - 1:
                h = np.maximum(h, 0)
        z = h - np.max(h, axis=1, keepdims=True)
        log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
        loss = -np.mean(log_p[rows, y])
        ct = np.exp(log_p)
        ct[rows, y] -= 1
        ct /= len(y)
        parts = []
        for k in reversed(range(len(layers))):
            parts += [np.sum(ct, axis=0), (inputs[k].T @ ct).ravel()]
            if k > 0:
                ct = (ct @ layers[k][0].T) * (inputs[k] > 0)
        return loss, np.concatenate(parts[::-1])

    return value_and_gradient


def with_minisam(x, y, sizes):
    """The same with minisam's own model and loss."""
    model = ms.nn.mlp(sizes)

    def loss(w):
        return np.mean(ms.nn.cross_entropy(model(w, x), y))

    return loss, ms.value_and_grad(loss)


def with_autograd(x, y, sizes):
    """The same with HIPS autograd, three ways of giving it the parameters.

    Its own tool for one flat vector (`autograd.misc.flatten`), the list of pairs of its examples,
    and views of the vector as minisam's own model takes them, which is the fastest.
    """
    rows = np.arange(len(y))

    def loss(layers):
        h = x
        for k, (weight, bias) in enumerate(layers):
            h = anp.dot(h, weight) + bias
            if k < len(layers) - 1:
                h = anp.maximum(h, 0)
        return anp.mean(logsumexp(h, axis=1) - h[rows, y])

    zeros = np.zeros(sum((m + 1) * n for m, n in pairwise(sizes)), dtype=x.dtype)
    _, unflatten = flatten(views(zeros, sizes))
    return {
        "autograd (flatten)": autograd.value_and_grad(lambda w: loss(unflatten(w))),
        "autograd (views)": autograd.value_and_grad(lambda w: loss(views(w, sizes))),
        "autograd (list)": autograd.value_and_grad(loss),
    }


def race(contestants, rounds, repeats):
    """Time each contestant in every round, in turn; seconds by name, one for each round."""
    times = {name: [] for name in contestants}
    for f in contestants.values():
        for _ in range(repeats):
            f()
    for _ in range(rounds):
        for name, f in contestants.items():
            start = time.perf_counter()
            for _ in range(repeats):
                f()
            times[name].append((time.perf_counter() - start) / repeats)
    return times


def measure(title, sizes, batch, dtype, rounds):
    """Compare the gradients, then time them; rows of (workload, ratio, median, spread)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, sizes[0])).astype(dtype)
    y = rng.integers(sizes[-1], size=batch)
    w = ms.nn.mlp(sizes).init(0, dtype)
    v = rng.standard_normal(w.size).astype(dtype)
    loss, gradient = with_minisam(x, y, sizes)
    hand, others = by_hand(x, y, sizes), with_autograd(x, y, sizes)
    inputs = dict.fromkeys(others, w) | {"autograd (list)": views(w, sizes)}
    scale = np.abs(hand(w)[1]).max()
    for f in (gradient, others["autograd (flatten)"], others["autograd (views)"]):
        np.testing.assert_allclose(f(w)[1], hand(w)[1], atol=1e-4 * scale, rtol=0)
    once = time.perf_counter()
    hand(w)
    once = time.perf_counter() - once
    times = race(
        {
            "hand": lambda: hand(w),
            "minisam": lambda: gradient(w),
            **{name: partial(f, inputs[name]) for name, f in others.items()},
            "hvp": lambda: ms.hvp(loss, w, v),
            "sam": lambda: ms.sam.sam_gradient(loss, w, 0.05),
        },
        rounds,
        max(1, int(0.02 / once)),
    )
    pairs = {
        "minisam / by hand": ("minisam", "hand"),
        **{f"minisam / {name}": ("minisam", name) for name in others},
        "HVP / gradient": ("hvp", "minisam"),
        "SAM gradient / gradient": ("sam", "minisam"),
    }
    for ratio, (a, b) in pairs.items():
        each = [p / q for p, q in zip(times[a], times[b], strict=True)]
        q1, q2, q3 = statistics.quantiles(each, n=4)
        limit = LIMITS.get((title[:2], ratio))
        yield {
            "workload": title,
            "ratio": ratio,
            "median": q2,
            "quartiles": [q1, q3],
            "limit": limit,
            "microseconds": [1e6 * statistics.median(times[a]), 1e6 * statistics.median(times[b])],
        }


def growth(rounds):
    """Time per operation on chains: constant if the engine is linear in the graph."""

    def chain(n):
        def f(x):
            for _ in range(n):
                x = x * 1.0
            return x

        return ms.grad(f)

    sizes = (1_000, 10_000, 100_000)
    times = race({n: partial(chain(n), 2.0) for n in sizes}, max(3, rounds // 5), 1)
    each = [1e6 * statistics.median(times[n]) / n for n in sizes]
    for n, us in zip(sizes, each, strict=True):
        yield {"workload": f"chain of {n:,} operations", "ratio": "us per operation", "median": us}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    rows = []
    for title, (sizes, batch, dtype) in WORKLOADS.items():
        rows += measure(title, sizes, batch, dtype, options.rounds)
    rows += growth(options.rounds)
    for row in rows:
        limit = f"  (limit {row['limit']})" if row.get("limit") else ""
        spread = "  [{:.2f}, {:.2f}]".format(*row["quartiles"]) if "quartiles" in row else ""
        print(f"{row['workload']:<44} {row['ratio']:<30} {row['median']:8.2f}{spread}{limit}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(
                {"numpy": np.__version__, "python": sys.version, "rows": rows}, file, indent=1
            )


if __name__ == "__main__":
    main()
