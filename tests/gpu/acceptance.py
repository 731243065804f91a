"""Does minisam do on a GPU what it does on a processor, and how fast? One command tells.

``python tests/gpu/acceptance.py`` needs a GPU and CuPy, and compares with PyTorch where that is
installed with CUDA; ``--fake`` runs what has a meaning there on the fake device of the tests, which
needs neither. It prints a table and writes all numbers as JSON; the exit code is 1 if a line fails.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

from frameworks.with_minisam import build  # noqa: E402
from workloads import SMALL_CNN, Workload, conv, evaluate, mlp  # noqa: E402

import minisam as ms  # noqa: E402
from minisam.text import aligned  # noqa: E402
from tests.gpu import contract  # noqa: E402

STEPS, RHO, LR, MOMENTUM = 5, 0.05, 0.05, 0.9
LIMITS = {"float64": 1e-9, "float32": 2e-4}
"""Largest difference of a parameter after 5 steps, relative to the largest parameter."""
MODELS = {
    "MLP": (ms.nn.mlp([64, 32, 10]), (1, 8, 8)),
    "CNN": (ms.nn.cnn((1, 8, 8), 10), (1, 8, 8)),
    "ResNet": (ms.nn.resnet((3, 16, 16), 10, 8), (3, 16, 16)),
}
TORCH = (
    Workload("MLP", mlp(20, 16, 10), (20,), 12),
    Workload("CNN", (*(conv(1, 4, 1), ("relu",), ("pool",), ("flatten",)), ("dense", 64, 10)),
             (1, 8, 8), 12),
)  # fmt: skip
WIDE_CNN = tuple(
    layer
    for c_in, c_out in ((3, 64), (64, 128), (128, 256))
    for layer in (conv(c_in, c_out, 1), ("relu",), ("pool",))
)
BENCHMARKS = {
    # What is measured, and how many times PyTorch's time it may take in float32.
    "small MLP 784-512-512-10, batch 128": (mlp(784, 512, 512, 10), (784,), 128, None),
    "large MLP 784-4096-4096-10, batch 4096": (mlp(784, 4096, 4096, 10), (784,), 4096, 1.15),
    "small CNN 28×28×1, batch 64": (SMALL_CNN, (1, 28, 28), 64, None),
    "large CNN 32×32×3, 64 to 256 channels, batch 512": (
        (*WIDE_CNN, ("average",), ("dense", 256, 10)), (3, 32, 32), 512, 1.5,
    ),
}  # fmt: skip
ROUNDS = 15


@dataclass
class Report:
    """Lines of the table, and the numbers behind them."""

    device: str
    lines: list = field(default_factory=list)

    def add(self, what, ok, found, numbers=None):
        """Note one result; ``ok`` is None where nothing was required, or it could not be asked."""
        word = {True: "ok", False: "FAILED", None: "–"}[ok]
        self.lines.append({"what": what, "result": word, "found": found, "numbers": numbers})
        print(f"{word:<7} {what}: {found}", file=sys.stderr, flush=True)


# What is the same for the fake and for CuPy, or not.


@dataclass(frozen=True)
class Fake:
    """The fake device of the tests."""

    cupy: object
    name: str = "the fake device of the tests, no GPU"
    short: str = "fake"
    real: bool = False

    @contextmanager
    def watched(self):
        """Refuse to wait, and give what has ``to_device`` and ``kernels`` at the end."""
        with self.cupy.counted() as counts, self.cupy.no_synchronisation():
            yield counts


@dataclass(frozen=True)
class Gpu:
    """CuPy."""

    cupy: object
    name: str
    short: str = "CuPy"
    real: bool = True

    @contextmanager
    def watched(self):
        """As `Fake.watched`; copies are seen where they are asked for by name, kernels are not."""
        import cupyx

        counts = SimpleNamespace(to_device=0, kernels=None)
        before = {n: getattr(self.cupy, n) for n in ("asarray", "array")}

        def spied(function):
            def call(x, *args, **kwargs):
                if not isinstance(x, self.cupy.ndarray):
                    counts.to_device += 1
                return function(x, *args, **kwargs)

            return call

        for name, function in before.items():
            setattr(self.cupy, name, spied(function))
        try:
            with cupyx.allow_synchronize(False):
                yield counts
        finally:
            for name, function in before.items():
                setattr(self.cupy, name, function)


def machine(fake):
    """Find the device to ask; refuse to go on without one."""
    if fake:
        from tests import fakecupy

        fakecupy.install()
        return Fake(fakecupy)
    ms.to_device(0.0, "cuda")  # says what is missing
    import cupy

    return Gpu(cupy, cupy.cuda.runtime.getDeviceProperties(0)["name"].decode())


def check_contract(on, report):
    """All assertions about CuPy that minisam relies on."""
    failed = []
    for holds in contract.ALL:
        try:
            holds(on.cupy)
        except Exception as error:  # each of them is to be named
            failed.append(f"{holds.__name__} ({type(error).__name__}: {str(error)[:200]})")
    found = "; ".join(failed) or f"all {len(contract.ALL)} hold"
    report.add("what minisam relies on in CuPy", not failed, found, failed)


def sam_steps(model, x, y, dtype, device, method=None, steps=STEPS):
    """Prepare some SAM steps on a device: a function that takes them and gives the parameters."""
    method, optimizer = method or ms.sam.SAM(RHO), ms.optimizers.SGD(LR, MOMENTUM)
    w = model.init(1, dtype, device=device)
    x, y = ms.to_device(x.astype(dtype), device), ms.to_device(y, device)

    def losses(w, rows=None):
        some = (x, y) if rows is None else (x[rows], y[rows])
        return ms.nn.cross_entropy(model(w, some[0], train=True, seed=0), some[1])

    def go(w=w):
        memory, state = optimizer.init(w), method.init(w)
        for t in range(steps):
            found = method.gradient(losses, w, state, t, steps, (0, t))
            w, memory = optimizer.step(w, found.g, memory, LR)
            state = found.state
        return w

    return go


def check_models(on, report):
    """NumPy and CuPy agree after some steps, which wait for nothing and copy nothing."""
    rng = np.random.default_rng(0)
    for name, (model, shape) in MODELS.items():
        x, y = rng.normal(size=(32, *shape)), rng.integers(10, size=32)
        for dtype, limit in LIMITS.items():
            host = sam_steps(model, x, y, dtype, "cpu")()
            go = sam_steps(model, x, y, dtype, "cuda")
            error = float(np.abs(ms.to_numpy(go()) - host).max() / np.abs(host).max())
            what = f"{name}, {dtype}: NumPy = {on.short} after {STEPS} SAM steps"
            report.add(what, error <= limit, f"{error:.1e} (at most {limit:g})", error)
        try:
            with on.watched() as counts:
                go()
            ok, found = not counts.to_device, f"{counts.to_device} copies, the host never waits"
            found += f", {counts.kernels / STEPS:.0f} kernels a step" if counts.kernels else ""
        except Exception as error:  # whatever a device raises when it is asked for a number
            ok, found = False, f"{type(error).__name__}: {error}"
        report.add(f"{name}: {STEPS} SAM steps without the host", ok, found)


def check_memory(on, report):
    """The memory pool neither grows nor leaks from step to step."""
    what = "memory pool after 3 and after 13 runs"
    if not on.real:
        report.add(what, None, "only on a GPU")
        return
    rng = np.random.default_rng(0)
    model, shape = MODELS["ResNet"]
    x, y = rng.normal(size=(32, *shape)), rng.integers(10, size=32)
    go, pool, used = (
        sam_steps(model, x, y, "float32", "cuda"),
        on.cupy.get_default_memory_pool(),
        [],
    )
    for _ in range(13):
        go()
        on.cupy.cuda.Stream.null.synchronize()
        used.append((pool.used_bytes(), pool.total_bytes()))
    report.add(what, used[2] == used[-1], f"{used[2]} and {used[-1]} bytes, used and held", used)


def check_training(on, report, short):
    """Training on digits ends within a point of where NumPy's ends."""
    data = ms.data.load("digits", train=240 if short else None, test=120 if short else None)
    epochs = 2 if short else 30
    for method in (ms.sam.ERM(), ms.sam.SAM(0.05), ms.sam.AESAM(0.05)):
        found = {}
        for device in ("cpu", "cuda"):
            run = ms.train(
                ms.nn.mlp([64, 64, 64, 10]), data.to_device(device), method,
                ms.optimizers.SGD(ms.optimizers.cosine(0.1), 0.9, weight_decay=5e-4),
                epochs=epochs, batch_size=60, progress=False,
            )  # fmt: skip
            found[device] = run.history[-1]["test_accuracy"]
        ok = abs(found["cpu"] - found["cuda"]) <= 0.01
        shown = f"{found['cpu']:.2%} with NumPy, {found['cuda']:.2%} with {on.short}"
        report.add(f"digits, {method.name}, {epochs} epochs: test accuracy", ok, shown, found)


# PyTorch.


def torch_step(workload, device):
    """Prepare PyTorch's SAM step, eager: a function that takes one and gives the parameters."""
    import torch
    from frameworks.with_torch import Layers
    from torch.nn import functional as F

    x, y, w, _ = workload.data()
    x, y = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
    weights = [torch.from_numpy(p).clone().to(device) for p in workload.split(w)]
    weights = [p.requires_grad_() for p in weights]
    optimizer = torch.optim.SGD(weights, lr=LR, momentum=MOMENTUM)

    def gradient():
        loss = F.cross_entropy(evaluate(Layers, workload.layers, iter(weights), x), y)
        return torch.autograd.grad(loss, weights)

    def step():
        g = gradient()
        with torch.no_grad():
            length = torch.sqrt(sum((p * p).sum() for p in g))
            climb = torch._foreach_mul(list(g), RHO / length)
            torch._foreach_add_(weights, climb)
        g = gradient()
        with torch.no_grad():
            torch._foreach_sub_(weights, climb)
        for p, its in zip(weights, g, strict=True):
            p.grad = its
        optimizer.step()
        return weights

    return step


def minisam_step(workload, device):
    """Prepare minisam's SAM step, as `torch_step`."""
    x, y, w, _ = workload.data()
    model, optimizer = build(workload.layers), ms.optimizers.SGD(LR, MOMENTUM)
    x, y, w = (ms.to_device(a, device) for a in (x, y, w))
    now = {"w": w, "memory": optimizer.init(w)}

    def loss(w):
        return np.mean(ms.nn.cross_entropy(model(w, x, train=True), y))

    def step():
        g = ms.sam.sam_gradient(loss, now["w"], RHO)
        now["w"], now["memory"] = optimizer.step(now["w"], g, now["memory"], LR)
        return now["w"]

    return step


def torch_device(on):
    """Where PyTorch can compute what is compared; None if it is not installed there."""
    try:
        import torch
    except ImportError:
        return None
    if not on.real:
        return "cpu"
    return "cuda" if torch.cuda.is_available() else None


def check_torch(on, report):
    """PyTorch takes the same steps."""
    device = torch_device(on)
    for workload in TORCH:
        what = f"{workload.name}, float64: {on.short} = PyTorch after {STEPS} SAM steps"
        if device is None:
            report.add(what, None, "no PyTorch for this device")
            continue
        workload = replace(workload, dtype="float64")
        ours, theirs = minisam_step(workload, "cuda"), torch_step(workload, device)
        for _ in range(STEPS):
            w, parameters = ours(), theirs()
        expected = np.concatenate([p.detach().cpu().numpy().ravel() for p in parameters])
        error = float(np.abs(ms.to_numpy(w) - expected).max() / np.abs(expected).max())
        report.add(what, error <= LIMITS["float64"], f"{error:.1e}", error)


def seconds(step, wait, repeats):
    """Time some steps."""
    wait()
    began = time.perf_counter()
    for _ in range(repeats):
        step()
    wait()
    return (time.perf_counter() - began) / repeats


def benchmark(on):
    """Measure the SAM step against PyTorch's: for each workload the medians of both and the ratio.

    In turn, within each round; the precision of products is that of this process (CUPY_TF32).
    """
    import torch

    tf32 = os.environ.get("CUPY_TF32") == "1"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    waits = on.cupy.cuda.Stream.null.synchronize, torch.cuda.synchronize
    found = {}
    for name, (layers, shape, batch, _) in BENCHMARKS.items():
        workload = Workload(name, layers, shape, batch)
        steps = minisam_step(workload, "cuda"), torch_step(workload, "cuda")
        repeats = []
        for step, wait in zip(steps, waits, strict=True):
            seconds(step, wait, 3)  # compiles kernels and fills the memory pool
            repeats.append(max(1, round(0.05 / seconds(step, wait, 3))))
        rounds = [
            [seconds(*each) for each in zip(steps, waits, repeats, strict=True)]
            for _ in range(ROUNDS)
        ]
        ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(a / b for a, b in rounds)
        found[name] = {"minisam": ours, "torch": theirs, "ratio": ratio}
    return found


def check_speed(on, report):
    """Benchmark in processes of their own: float32 and TF32."""
    for words, tf32 in (("float32", "0"), ("TF32", "1")):
        if not on.real or torch_device(on) is None:
            report.add(f"speed, {words}", None, "only on a GPU, beside PyTorch")
            continue
        done = subprocess.run(
            [sys.executable, __file__, "--benchmark"],
            env={**os.environ, "CUPY_TF32": tf32}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            report.add(f"speed, {words}", False, done.stderr[-2000:])
            continue
        for name, its in json.loads(done.stdout.splitlines()[-1]).items():
            limit = BENCHMARKS[name][3] if words == "float32" else None
            found = f"{its['minisam'] * 1e3:.2f} ms, PyTorch {its['torch'] * 1e3:.2f} ms: "
            found += f"{its['ratio']:.2f}" + (f" (at most {limit})" if limit else "")
            ok = its["ratio"] <= limit if limit else None
            report.add(f"SAM step, {words}: {name}", ok, found, its)


def train_resnet(on, report, epochs):
    """Train a ResNet on CIFAR-10, where the data is at hand."""
    what = f"ResNet on CIFAR-10, {epochs} epochs"
    if not on.real or not epochs:
        report.add(what, None, "only on a GPU, with --cifar EPOCHS")
        return
    data = ms.data.load("cifar10").to_device("cuda")
    model = ms.nn.resnet(data.x_train.shape[1:], 10, 16, (1, 1, 1))
    for method in (ms.sam.ERM(), ms.sam.SAM(0.05), ms.sam.AESAM(0.05)):
        run = ms.train(
            model, data, method,
            ms.optimizers.SGD(ms.optimizers.cosine(0.05), 0.9, weight_decay=5e-4),
            epochs=epochs, batch_size=128, progress=False,
        )  # fmt: skip
        last = run.history[-1]
        found = f"test accuracy {last['test_accuracy']:.2%}, {run.evaluations:,.0f} gradients, "
        report.add(f"{what}, {method.name}", None, f"{found}{run.seconds:.0f} s", run.history)


def arguments(argv):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fake", action="store_true", help="on the fake device of the tests")
    parser.add_argument("--short", action="store_true", help="train for two epochs only")
    parser.add_argument(
        "--cifar", type=int, default=0, metavar="EPOCHS", help="train a ResNet, too"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/acceptance.json"))
    parser.add_argument("--benchmark", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv=None):
    """Run everything; return the exit code."""
    args = arguments(argv)
    try:
        on = machine(args.fake)
    except (ImportError, RuntimeError) as error:
        print(f"acceptance: {error} With --fake it runs without a GPU.", file=sys.stderr)
        return 2
    if args.benchmark:
        print(json.dumps(benchmark(on)))
        return 0
    report = Report(on.name)
    quiet = np.errstate(all="ignore") if args.fake else nullcontext()
    with quiet:
        check_contract(on, report)
        check_models(on, report)
        check_torch(on, report)
        check_memory(on, report)
        check_training(on, report, args.short)
        check_speed(on, report)
        train_resnet(on, report, args.cifar)
    rows = [[line["result"], line["what"], line["found"]] for line in report.lines]
    print(f"minisam on {on.name}\n")
    print(aligned([["", "asked", "found"], *rows]))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    settings = {"device": on.name, "cupy": on.cupy.__version__, "numpy": np.__version__}
    args.out.write_text(json.dumps({**settings, "lines": report.lines}, indent=1) + "\n", "utf-8")
    print(f"\nAll numbers: {args.out}")
    return int(any(line["result"] == "FAILED" for line in report.lines))


if __name__ == "__main__":
    sys.exit(main())
