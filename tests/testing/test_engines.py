"""The table is run on three engines: a student's, autograd, and minisam; and on broken ones."""

from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pytest

import minisam as ms
from minisam import testing
from minisam.autodiff import PRIMITIVES, GradientError
from minisam.autodiff.tensor import value_of
from minisam.testing import by_name, checks
from tests.course.a1 import WRONG
from tests.testing import hips, micro


def fails(engine):
    """How many cases fail, for each function and order."""
    return {str(check): len(check.failures()) for check in checks(engine)}


# minisam: the same rules behind the same interface, in both modes.

SOME = ("sum", "max", "tanh", "matmul")


@pytest.mark.parametrize("name", SOME)
def test_minisam_passes(name):
    itself = SimpleNamespace(functions={name: PRIMITIVES[name]}, vjp=ms.vjp, jvp=ms.jvp)
    for check in checks(itself):
        check.run()


def test_numpys_names_lead_to_the_same_functions():
    found = by_name(np)
    assert "identity" not in found
    for name in ("where", "pad", "concatenate", "stack", "einsum", "take_along_axis", "solve"):
        for args, params in PRIMITIVES[name].domain(np.random.default_rng(1)):
            np.testing.assert_allclose(
                found[name](*args, **params), PRIMITIVES[name](*args, **params)
            )


def test_names_are_taken_of_a_module_that_has_few():
    assert by_name(SimpleNamespace(sin=np.sin)) == {"sin": np.sin}


def test_the_third_order_is_checked_where_the_docstring_says():
    assert "third on the three smallest cases" in " ".join(testing.__doc__.split())
    first, second, third = checks(SimpleNamespace(functions={"add": np.add}, vjp=ms.vjp))
    assert [len(each.cases()) for each in (first, second, third)] == [15, 15, 3]


def test_cotangents_may_be_a_list():
    def vjp(f, *args):
        value, pull = ms.vjp(f, *args)
        return value, lambda ct: list(pull(ct))

    checks(SimpleNamespace(functions={"multiply": np.multiply}, vjp=vjp))[1].run()


# A student's engine.


def test_a_students_engine():
    """It is right in what it was built for, and has no products with vectors or stacks."""
    found = fails(micro)
    assert {name: n for name, n in found.items() if n == 0} == {
        **dict.fromkeys(["add-order1", "multiply-order1", "exp-order1"], 0)
    }
    by_case = next(check for check in checks(micro) if check.name == "matmul")
    shapes = [tuple(a.ndim for a in args) for args, _ in by_case.cases()]
    assert found["matmul-order1"] == sum(shape != (2, 2) for shape in shapes) < len(shapes)


@pytest.mark.parametrize(
    "wrong",
    [one for one in WRONG if one.cell in ("unbroadcast", "rules")],
    ids=lambda one: one.name,
)
def test_what_a_student_got_wrong_is_found(wrong):
    """Each wrong rule; a wrong walk shows in compositions only, and no primitive is one."""
    right = fails(micro)

    def edit(cell, source):
        return source.replace(wrong.old, wrong.new) if cell == wrong.cell else source

    found = fails(micro.adapter(edit))
    assert any(found[name] > right[name] for name in right)


# autograd, from PyPI.

FAULTS = {
    "where": "float64[0, 3], float64[3]",  # what broadcasts is not summed
    "transpose": "axes=(-1, 0, 1)",  # negative axes are not counted from the end in the inverse
    "tril": "float64[3], k=0",  # of a vector NumPy makes a matrix; the rule does not know
    "triu": "float64[3], k=0",
    "broadcast_to": "shape=(2,)",  # new axes in front
    "roll": "shift=(1,)",  # a tuple of shifts is negated
    "einsum": "subscripts='ii,ij->'",  # a repeated index
    "solve": "float64[2, 2, 1]",  # one matrix, several systems
    "det": "Singular matrix",  # the inverse is used, which is not there
    "sort": "not implemented for multi-dimensional",
    "flip": "not defined",
    "take_along_axis": "not defined",
}


def one(name, order):
    offered = SimpleNamespace(functions={name: hips.functions[name]}, vjp=hips.vjp)
    return next(check for check in checks(offered) if check.order == order)


@pytest.mark.skipif(
    version("autograd") != "1.9.1", reason="the faults of autograd 1.9.1; others may be mended"
)
@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_autograd_are_found(name):
    with pytest.raises(GradientError, match=r"\d+ of \d+ cases? fail") as caught:
        one(name, 1).run()
    assert FAULTS[name] in str(caught.value)


@pytest.mark.parametrize("name", ["sum", "max", "tanh", "add"])
def test_what_is_right_in_autograd_passes_to_the_third_order(name):
    for order in (1, 2, 3):
        one(name, order).run()


# Broken engines, to see that each order bites.


def cut(x):
    """The exponential whose slope is a constant to the second derivative."""
    y = value_of(np.exp(x))
    while isinstance(y, ms.Tensor):
        y = value_of(y)
    return y + (x - value_of(x)) * y if isinstance(x, ms.Tensor) else y


def test_a_saved_value_is_found_at_the_second_order():
    engine = SimpleNamespace(functions={"exp": cut}, vjp=ms.vjp)
    first, second, _ = checks(engine)
    assert not first.failures()
    assert len(second.failures()) > 3


def test_a_wrong_forward_mode_is_found():
    def jvp(f, args, tangents):
        value, tangent = ms.jvp(f, args, tangents)
        return value, tangent * 1.001

    engine = SimpleNamespace(functions={"sin": np.sin}, vjp=ms.vjp, jvp=jvp, order=1)
    with pytest.raises(GradientError, match=r"wrong derivative \(forward"):
        checks(engine)[0].run()


def test_what_an_engine_raises_is_a_failure_and_no_crash():
    def refuses(x):
        raise RuntimeError("not today")

    engine = SimpleNamespace(functions={"sin": refuses}, vjp=ms.vjp, order=1)
    with pytest.raises(GradientError, match=r"7 of 7 cases fail\n.*not today"):
        checks(engine)[0].run()


@pytest.mark.parametrize(
    ("adapter", "says"),
    [
        (SimpleNamespace(vjp=ms.vjp), "has no 'functions'"),
        (SimpleNamespace(functions={}), "has no 'vjp'"),
        (SimpleNamespace(functions={}, vjp=ms.vjp), "offers no functions: there is nothing"),
        (SimpleNamespace(functions={"sine": np.sin}, vjp=ms.vjp), "offers sine, which minisam"),
    ],
)
def test_an_adapter_that_lacks_something(adapter, says):
    with pytest.raises(TypeError, match=says):
        checks(adapter)
