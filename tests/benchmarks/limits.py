"""How alike the results must be before they are timed, and how fast minisam is to be."""

WITHIN = {"float64": 1e-8, "float32": 2e-2}
"""Largest relative difference. In float32 rounding may put one of a million inputs of relu on the
other side of its kink, and a gradient changes by up to 1 %: no less would tell a wrong program."""

_GRADIENT, _SAM, _HVP = "gradient", "SAM step", "Hessian-vector product"
_SECOND = "SAM, second order"
_BOTH = (_GRADIENT, _SAM)


def _limits(threads, against, limit, workloads, tasks):
    return {(threads, w, task, against): limit for w in workloads.split() for task in tasks}


LIMITS = {  # (threads, workload, task, against) -> the most the ratio may be
    **_limits(1, "PyTorch", 0.75, "W2", _BOTH),
    **_limits(1, "PyTorch", 1.2, "W1 W5", _BOTH),
    **_limits(1, "PyTorch", 0.9, "W3 W3d W4", _BOTH),
    **_limits(1, "PyTorch channels last", 1.25, "W4", _BOTH),
    **_limits(1, "PyTorch", 1.2, "W1", (_HVP,)),
    **_limits(1, "PyTorch", 1.0, "W3", (_HVP,)),
    **_limits(1, "PyTorch", 1.0, "W1", (_SECOND,)),
    **_limits(1, "by hand", 1.1, "W1", _BOTH),
    **_limits(1, "by hand", 2.0, "W2", _BOTH),
    **_limits(1, "by hand", 0.92, "W3 W4", _BOTH),
    **_limits(1, "autograd", 0.5, "W1", (_GRADIENT,)),
    **_limits(1, "autograd", 1 / 7, "W2", (_GRADIENT,)),
    **_limits(1, "autograd", 1 / 60, "W3 W4", (_GRADIENT,)),
    **_limits(1, "MyGrad", 0.4, "W2", (_GRADIENT,)),
    **_limits(1, "MyGrad", 0.2, "W3 W4", (_GRADIENT,)),
    **_limits(1, "JAX", 0.5, "W3 W4", _BOTH),
    **_limits(1, _GRADIENT, 2.15, "W1", (_SAM,)),
    **_limits(1, _GRADIENT, 2.05, "W3 W4", (_SAM,)),
    **_limits(1, _GRADIENT, 2.6, "W1", (_HVP,)),
    **_limits(1, _GRADIENT, 3.2, "W3", (_HVP,)),
    **_limits(2, "PyTorch", 0.95, "W3 W4", _BOTH),
    **_limits(2, "PyTorch", 1.27, "W1", _BOTH),
}
