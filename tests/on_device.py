"""Run tests that were written with NumPy's arrays on a device: ``MINISAM_TEST_DEVICE=fake``.

Test modules of the folders in `FOLDERS` see another ``np``: what it makes lies on the device, and
what it compares is brought to the host first; `minisam` itself sees NumPy as ever, and only device
arrays reach it. `check_grads` measures on the host a function that is computed on the device.
"""

import functools
import inspect
import sys

import numpy as np
import pytest

import minisam as ms
from minisam.arrays import moved, on_host
from minisam.autodiff import PRIMITIVES, check, contracts
from minisam.nn.layer import Layer
from tests import fakecupy

FOLDERS = ("tests.autodiff", "tests.nn", "tests.ops", "tests.sam", "tests.training")
FILES = ("tests.test_optimizers",)
DEVICE = "cuda"
WAITS = "a device would have to wait for it, to raise an error"
OTHERS = "another library is asked, which is on the host"
MEMORY = "is about memory of the host, or what is fast there"
CURVES = "differentiates curves on the host"
DRAWN = "indexes lists with what it draws"
DEVICES = "brings a device of its own"
VECTORS = "is about vectors of the host"
NUMBERS = "differentiates a number of Python"
LISTS = "writes lists beside arrays"
SECOND = "orders stop at two here"
COPIED = "the copy to the host hides it"
HOST_ONLY = {
    "autodiff/test_numerical.py": CURVES,
    "autodiff/test_sums.py::test_sums_of_many_pixels_are_exact_in_single_precision":
        "is about the order in which the host adds",
    "autodiff/test_allocation.py": MEMORY,
    "autodiff/test_sums.py::test_arithmetic_by_channel_is_by_long_lines_if_there_are_many": MEMORY,
    "autodiff/test_sums.py::test_batch_norm_stores_no_products": MEMORY,
    "autodiff/test_sums.py::test_sums_are_of_blas_if_there_are_many_and_in_one_piece": MEMORY,
    "autodiff/test_sums.py::test_products_of_rows_are_not_stored_unless_they_are_short_or_apart":
        MEMORY,
    "autodiff/test_sums.py::test_products_of_images_are_not_stored_unless_they_are_few_or_their_lines_short":
        MEMORY,
    "autodiff/test_check.py::test_public_signature": "looks at the function that is replaced here",
    "autodiff/test_check.py::test_arguments_are_a_tuple": "calls what is replaced here",
    "autodiff/test_check.py::test_flat_and_split_are_inverse": VECTORS,
    "autodiff/test_check.py::test_cotangents_have_no_tiny_and_no_unit_component": VECTORS,
    "autodiff/test_engine.py::test_third_order_against_differences_of_the_hessian": CURVES,
    "autodiff/test_engine.py::test_random_programs_agree_with_a_complex_step": DRAWN,
    "nn/test_losses.py::test_labels_that_do_not_fit": WAITS,
    "sam/test_against_pytorch.py": OTHERS,
    "sam/test_methods.py::test_a_gradient_that_is_not_finite": WAITS,
    "sam/test_perturbation.py::test_a_gradient_that_is_not_finite": WAITS,
    "sam/test_perturbation.py::test_a_metric_that_does_not_fit": WAITS,
    "sam/test_perturbation.py::test_moderate_vectors_go_the_short_way": MEMORY,
    "test_optimizers.py::test_a_run_resumed_from_npz_is_bit_identical": "saves what is on the host",
    "test_optimizers.py::test_a_step_stays_on_its_device_and_in_its_dtype": DEVICES,
    "test_optimizers.py::test_trajectory_is_pytorchs": OTHERS,
    "training/test_methods.py::test_decisions_are_recorded": "records are the host's",
    "training/test_train.py::test_too_few_outputs": WAITS,
    "ops/test_winograd.py": MEMORY,
    "ops/test_edges.py::test_clip_with_bounds_that_broadcast_or_vary": NUMBERS,
    "ops/test_edges.py::test_many_floats_are_clipped": MEMORY,
    "ops/test_edges.py::test_full_like_of_a_variable": NUMBERS,
    "ops/test_numpy_functions.py::test_a_tensor_gives_what_numpy_gives[matmul-5-float32]": LISTS,
    "ops/test_numpy_functions.py::test_a_tensor_gives_what_numpy_gives[matmul-5-float64]": LISTS,
    "ops/test_oracle.py": OTHERS,
    "ops/test_convolution.py::test_scipy": OTHERS,
    "ops/test_convolution.py::test_torch": OTHERS,
    "ops/test_convolution.py::test_both_ways_to_the_input_gradient_are_taken": MEMORY,
    "ops/test_convolution.py::test_strides_of_axes_of_length_one_are_arbitrary": MEMORY,
    "ops/test_convolution.py::test_the_result_is_channels_last_in_memory": MEMORY,
    "ops/test_pooling.py::test_memory_order_is_kept_and_arguments_are_not_written_into": MEMORY,
    "ops/test_pooling.py::test_tiles_are_the_strided_views": MEMORY,
    "ops/test_pooling.py::test_windows_side_by_side_go_by_lines_if_channels_are_last": MEMORY,
    "ops/test_pooling.py::test_torch": OTHERS,
    "ops/test_linalg.py::test_errors": WAITS,
    "ops/test_linalg.py::test_a_singular_matrix_has_a_value_but_no_derivative_of_its_logarithm":
        WAITS,
    "ops/test_indexing.py::test_errors": WAITS,
    "ops/test_numpy_functions.py::test_lists_are_arrays": "on a device they are not",
    "ops/test_classification.py::test_what_all_logits_have_in_common_does_not_matter": LISTS,
    "ops/test_classification.py::test_the_others_are_told_apart_however_far_below_them_the_label_is":
        LISTS,
    "ops/test_classification.py::test_a_label_of_more_than_32_bits_is_out_of_range_too": WAITS,
    **{
        f"nn/test_layers.py::test_{name}_as_pytorch": OTHERS
        for name in ("batch_norm", "conv2d", "layer_norm", "layers_without_parameters", "linear")
    },
    **{
        f"autodiff/test_mutants.py::test_mutant_is_rejected[{name}]": COPIED
        for name in ("rule_writes_into_the_value", "constant_handed_out", "value_handed_out",
                     "buffer_reused", "one_array_for_two_arguments",
                     "right_for_contiguous_input_only")
    },
    "autodiff/test_mutants.py::test_mutant_is_rejected[third_derivative_wrong]": SECOND,
}  # fmt: skip
"""Tests that say nothing of a device, or that ask for what one cannot do, and why."""
ORIGINAL = check.check_grads


def to_device(x):
    """Bring the arrays in some arguments to the device."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiubc":
        return moved(x, DEVICE)
    if type(x) in (list, tuple):
        return type(x)(map(to_device, x))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(to_device, x))
    if type(x) is dict:
        return {k: to_device(v) for k, v in x.items()}
    return x


def to_host(x):
    """Bring the arrays in some arguments to the host."""
    if isinstance(x, fakecupy.ndarray):
        return x.get() if x.ndim else x.get()[()]
    if type(x) in (list, tuple):
        return type(x)(map(to_host, x))
    if type(x) is dict:
        return {k: to_host(v) for k, v in x.items()}
    return x


def _holds(x, kind):
    if isinstance(x, kind):
        return True
    return type(x) in (list, tuple) and any(_holds(each, kind) for each in x)


def _function(f, host_only=False):
    @functools.wraps(f)
    def call(*args, **kwargs):
        everything = [*args, *kwargs.values()]
        if _holds(everything, ms.Tensor):
            return f(*args, **kwargs)
        if host_only:
            return f(*to_host(args), **to_host(kwargs))
        if _holds(everything, fakecupy.ndarray):
            name = f.__module__.partition(".")[2] + "." + f.__name__
            if name.lstrip(".") in fakecupy.SURFACE["functions"]:
                try:
                    return f(*args, **kwargs)
                except TypeError:  # a test may ask NumPy for what CuPy does not take
                    pass
        return to_device(f(*to_host(args), **to_host(kwargs)))

    return call


class _Generator(np.random.Generator):
    """Draws on the host; what a test draws is brought to the device."""

    def __init__(self, seed):
        super().__init__(np.random.default_rng(seed).bit_generator)


def _draw(name):
    def draw(self, *args, **kwargs):
        plain = np.random.Generator(self.bit_generator)
        found = getattr(plain, name)(*to_host(args), **to_host(kwargs))
        caller = sys._getframe(1).f_globals["__name__"]
        return to_device(found) if caller.startswith("tests.") else found

    return draw


for _name in ("normal", "uniform", "random", "integers", "standard_normal", "permutation",
              "choice", "exponential", "standard_cauchy"):  # fmt: skip
    setattr(_Generator, _name, _draw(_name))


class _Module:
    """A module of NumPy's, with its functions on the device."""

    def __init__(self, module, host_only=False, **more):
        self._module, self._host_only, self._more = module, host_only, more

    def __getattr__(self, name):
        if name in self._more:
            return self._more[name]
        thing = getattr(self._module, name)
        if inspect.isclass(thing) or inspect.ismodule(thing) or not callable(thing):
            return thing
        if isinstance(thing, np.ufunc):
            return thing
        wrapped = _function(thing, self._host_only)
        self._more[name] = wrapped
        return wrapped


_random = _Module(np.random, default_rng=lambda seed=None: seed if isinstance(seed, _Generator)
                  else _Generator(seed))  # fmt: skip
numpy = _Module(
    np,
    random=_random,
    linalg=_Module(np.linalg),
    testing=_Module(np.testing, host_only=True),
    ndarray=fakecupy.ndarray,
    **{
        name: _function(getattr(np, name), host_only=True)
        for name in ("allclose", "array_equal", "shape", "ndim", "size", "broadcast_shapes")
    },
)


class _Approximately:
    """`pytest.approx`, compared on the host."""

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, *args, **kwargs):
        self.expected = pytest.approx(*to_host(args), **to_host(kwargs))

    def __eq__(self, other):
        return to_host(other) == self.expected

    def __repr__(self):
        return repr(self.expected)


class _Pytest:
    approx = _Approximately

    def __getattr__(self, name):
        return getattr(pytest, name)


def check_grads(f, args, order=2, *rest, **kwargs):
    """Check the derivatives of a function that is computed on the device, to second order.

    The third is the same rules once more, and so is float32, of which the first is checked.
    """
    if isinstance(f, functools.partial):
        f = functools.partial(f.func, *to_device(f.args), **to_device(f.keywords))
    arrays = [isinstance(a, np.ndarray | fakecupy.ndarray) for a in args]

    def on_device(*xs):
        found = f(*(ms.to_device(x, DEVICE) if a else x for x, a in zip(xs, arrays, strict=True)))
        given = on_host(found.value if type(found) is ms.Tensor else found)
        return found if given else ms.to_numpy(found)

    on_device.name = contracts.name_of(f)
    host = tuple(to_host(a) for a in args)
    narrow = any(getattr(a, "dtype", None) == np.float32 for a in host)
    return ORIGINAL(on_device, host, min(order, 1 if narrow else 2), *rest, **kwargs)


def strided(x):
    """Do what `minisam.autodiff.contracts.strided` does."""
    wide = np.full([2 * n for n in x.shape], np.nan, dtype=x.dtype, order="F")
    wide[(slice(None, None, 2),) * x.ndim] = to_host(x)
    return moved(wide, DEVICE)[(slice(None, None, 2),) * x.ndim]


def contiguous(x):
    """Do what `minisam.autodiff.contracts.contiguous` does."""
    return x.copy() if isinstance(x, fakecupy.ndarray) else x


def prepare():
    """Install the fake."""
    fakecupy.install()
    Layer.init.__defaults__ = (*Layer.init.__defaults__[:-1], DEVICE)
    ms.check_grads = check_grads


def _domain(domain, rng):
    return [to_device(case) for case in domain(np.random.default_rng(rng))]


def adopt_primitives():
    """Let the cases that primitives are checked on lie on the device."""
    for op in PRIMITIVES.values():
        if op.name != "moved":
            op.domain = functools.partial(_domain, op.domain)


def adopt(module):
    """Give a test module the device's NumPy."""
    names = vars(module)
    for name, thing in list(names.items()):
        if thing is np:
            names[name] = numpy
        elif thing is pytest:
            names[name] = _Pytest()
        elif any(thing is each for each in (ORIGINAL, contracts.strided, contracts.contiguous)):
            names[name] = globals()[name]
        elif type(thing) is np.random.Generator:
            names[name] = _Generator(thing)
        elif isinstance(thing, np.ndarray):
            names[name] = to_device(thing)


def adopt_item(item):
    """Bring a test's arguments to the device, parameters and what Hypothesis draws, or skip it."""
    if not belongs(getattr(getattr(item, "module", None), "__name__", "")):
        item.add_marker(pytest.mark.skip("host only: see tests/gpu/test_suite.py"))
        return
    for name, why in HOST_ONLY.items():
        if covers(name, item.nodeid):
            item.add_marker(pytest.mark.skip(f"host only: {why}"))
    inner = getattr(getattr(item.obj, "hypothesis", None), "inner_test", None)
    if inner is not None and not hasattr(inner, "on_device"):

        @functools.wraps(inner)
        def call(*args, **kwargs):
            return inner(*to_device(args), **to_device(kwargs))

        call.on_device = True
        item.obj.hypothesis.inner_test = call
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        callspec.params.update(to_device(dict(callspec.params)))


def covers(name, nodeid):
    """Whether an entry of `HOST_ONLY` is this test, or has all its cases, or its file."""
    return nodeid == f"tests/{name}" or nodeid.startswith((f"tests/{name}[", f"tests/{name}::"))


def belongs(name):
    """Whether a module's tests are run on the device."""
    return name in FILES or name.startswith(tuple(f"{f}." for f in FOLDERS))
