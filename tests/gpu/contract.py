"""What minisam relies on in CuPy: each assertion holds on the real thing, and on the fake.

A function of this module takes the module ``cupy`` and asserts one thing.
"""

import numpy as np
import pytest


def arrays(cupy, *shapes, dtype="float32"):
    """Make device arrays of ascending numbers."""
    return [cupy.asarray(np.arange(np.prod(s), dtype=dtype).reshape(s) + 1) for s in shapes]


def it_is_not_an_array_of_numpy(cupy):
    (x,) = arrays(cupy, (2, 3))
    assert not isinstance(x, np.ndarray)
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(x)
    with pytest.raises(TypeError, match=r"[Ii]mplicit|Unsupported type"):
        x + np.ones((2, 3), "float32")
    with pytest.raises(TypeError, match=r"[Ii]mplicit|Unsupported type"):
        np.ones((2, 3), "float32") * x


def the_way_there_and_back_is_exact(cupy):
    host = np.random.default_rng(0).normal(size=(3, 4))
    assert np.array_equal(cupy.asarray(host).get(), host)
    assert np.array_equal(np.asarray(host, like=cupy.zeros(1)).get(), host)


def functions_of_numpy_stay_on_the_device(cupy):
    x, y = arrays(cupy, (2, 3), (3, 2))
    for found in (np.exp(x), np.sum(x), x @ y, np.matmul(x, y), np.where(x > 2, x, 0), x.max()):
        assert type(found) is type(x)
        assert found.dtype == np.float32
    assert np.sum(x).shape == x[0, 0].shape == ()


def numbers_are_weak_and_scalars_of_numpy_are_not(cupy):
    (x,) = arrays(cupy, (3,))
    assert (2.5 * x).dtype == (x**2).dtype == np.maximum(x, 0).dtype == np.float32
    assert (np.float32(2) * x).dtype == np.float32
    assert (np.float64(2) * x).dtype == (x * np.float64(2)).dtype == np.float64
    assert (x * cupy.asarray(np.float64(2))).dtype == np.float64  # an array of no axes is none
    assert (x * (x > 1)).dtype == np.float32


def arrays_are_made_where_another_one_is(cupy):
    (x,) = arrays(cupy, (3,))
    for found in (
        np.zeros(2, dtype="float32", like=x),
        np.arange(2, like=x),
        np.array([1, 2], like=x),
        np.zeros_like(x, shape=(2,)),
        np.full_like(x, 3.0, shape=(2,)),
        np.empty_like(x, shape=(2,), order="C"),
    ):
        assert type(found) is type(x)
        assert found.shape == (2,)
    for refused in (np.eye, np.ones, lambda n, like: np.full(n, 1.0, like=like)):
        with pytest.raises(TypeError, match="device"):
            refused(2, like=x)


def a_shape_of_no_axes_is_taken_for_none(cupy):
    (x,) = arrays(cupy, (3,))
    assert np.zeros_like(x, shape=()).shape == (3,)
    assert np.zeros((), "float32", like=x).shape == ()


def keywords_that_only_numpy_takes_are_refused(cupy):
    (x,) = arrays(cupy, (3,))
    for refused in (
        lambda: np.sum(x, where=x > 1),
        lambda: np.max(x, initial=0),
        lambda: np.reshape(x, shape=(3, 1)),
    ):
        with pytest.raises(TypeError, match="unexpected keyword"):
            refused()


def names_that_only_numpy_has_are_refused(cupy):
    (x,) = arrays(cupy, (3,))
    for refused in (lambda: np.insert(x, 0, 1.0), lambda: np.block([x, x])):
        with pytest.raises((TypeError, AttributeError)):
            refused()
    assert not hasattr(cupy, "errstate")


def an_index_out_of_range_wraps_around(cupy):
    (x,) = arrays(cupy, (3,))
    assert x[cupy.asarray(np.array([1, 4]))].get().tolist() == [2, 2]
    with pytest.raises(IndexError):
        x[5]


def duplicates_add_up_in_scatter_add_only(cupy):
    (x,) = arrays(cupy, (3,))
    index = cupy.asarray(np.array([0, 0, 2]))
    out = cupy.zeros(3, "float32")
    out[index] += x
    assert out.get()[2] == 3
    assert out.get()[0] in (1, 2)
    out = cupy.zeros(3, "float32")
    np.add.at(out, index, x)
    assert out.get().tolist() == [3, 0, 3]


def reshapes_slices_and_transposes_are_views(cupy):
    (x,) = arrays(cupy, (2, 3))
    for view in (x.T, x[:, 1:], x[..., None], x.reshape(3, 2), np.expand_dims(x, 0)):
        assert view.base is not None
        view[...] = 0
    assert not x.get().any()
    assert np.broadcast_to(x, (2, 2, 3)).strides[0] == 0


def a_strided_view_repeats_elements(cupy):
    (x,) = arrays(cupy, (4,))
    view = cupy.lib.stride_tricks.as_strided(x, (3, 2), (4, 4))
    assert view.get().tolist() == [[1, 2], [2, 3], [3, 4]]
    with pytest.raises(TypeError):
        cupy.lib.stride_tricks.as_strided(x, (3, 2), (4, 4), writeable=False)


def elementwise_results_are_contiguous(cupy):
    (x,) = arrays(cupy, (2, 3))
    assert (x.T + 1).flags.c_contiguous
    assert x.T.copy().flags.c_contiguous
    assert x.T.copy(order="K").flags.f_contiguous


def nothing_says_that_an_array_may_not_be_written_to(cupy):
    (x,) = arrays(cupy, (2,))
    assert not hasattr(x.flags, "writeable")


def nan_goes_through_maxima_and_sums(cupy):
    x = cupy.asarray(np.array([1.0, np.nan, 2.0]))
    for found in (x.max(), x.min(), x.sum(), np.maximum(x, 0).sum(), np.abs(x).max()):
        assert np.isnan(found.get())


def a_singular_matrix_raises_nothing(cupy):
    x = np.linalg.inv(cupy.zeros((2, 2)))
    assert not np.isfinite(x.get()).all()


def masks_multiply_and_choose(cupy):
    (x,) = arrays(cupy, (3,))
    mask = x > 1
    assert (x * mask).get().tolist() == [0, 2, 3]
    x[mask] = 0  # a number may be written through a mask: no shape depends on the data
    assert x.get().tolist() == [1, 0, 0]
    assert np.where(mask, cupy.asarray(np.inf), x).get().tolist() == [1, np.inf, np.inf]


def a_sum_of_truth_values_has_the_dtype_asked_for(cupy):
    (x,) = arrays(cupy, (3,))
    assert (x > 1).sum(dtype="float32").dtype == np.float32
    assert (x > 1).sum().dtype == np.int64


def a_place_in_an_array_may_be_added_to(cupy):
    (x,) = arrays(cupy, (2, 3))
    x[:, 1:] += x[:, :2]
    assert x.get().tolist() == [[1, 3, 5], [4, 9, 11]]


def another_library_s_operator_has_its_turn(cupy):
    class Other:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return ufunc.__name__

        def __array_function__(self, func, types, args, kwargs):
            return func.__name__

    (x,) = arrays(cupy, (3,))
    assert (x * Other(), x @ Other(), np.add(x, Other())) == ("multiply", "matmul", "add")
    assert np.where(x > 1, Other(), x) == "where"


ALL = [f for name, f in list(globals().items()) if callable(f) and name not in ("arrays", "pytest")]
