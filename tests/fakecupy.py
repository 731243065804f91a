"""CuPy without a GPU: a device that lives on the host, and refuses what a real one refuses.

Installed as ``sys.modules["cupy"]`` it takes CuPy's place. Arithmetic is NumPy's; all around it is
as in CuPy, from which `tests/cupy_surface.json` was read:

- its array is no ``numpy.ndarray`` and never becomes one by itself, and never meets one;
- it has the names and the arguments that CuPy has, and no others;
- reductions give 0-d arrays, elementwise results are contiguous, memory of ``empty`` is poison;
- an index out of range wraps around, of two writes to one place either may win, and singular
  matrices raise nothing;
- what makes the host wait for the device is counted, and refused inside `no_synchronisation`;
- copies from and to the host and kernel launches are counted, by `counted`.

Of kernels it counts what CuPy launches for the same call at least: one for elementwise functions,
reductions, products, gathers and copies, none for views.
"""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

SURFACE = json.loads(Path(__file__).with_name("cupy_surface.json").read_text(encoding="utf-8"))

SYNCHRONISE = {"nonzero", "flatnonzero", "argwhere", "unique", "extract", "compress", "trim_zeros"}
"""Functions whose result has a shape that depends on the data."""
CREATE = {"array", "asarray", "ascontiguousarray", "asfortranarray", "asanyarray"}
"""Functions that copy from the host because they are told to."""
HOST = {"shape", "ndim", "size", "result_type", "iscomplexobj", "isrealobj", "can_cast", "isscalar"}
HOST |= {"may_share_memory", "shares_memory"}
"""Functions that answer without looking at a number."""
KERNELS = {"argsort": 3, "sort": 3, "cumsum": 2}
KERNELS |= dict.fromkeys(("linalg.solve", "linalg.inv", "linalg.cholesky", "linalg.det"), 4)
KERNELS |= dict.fromkeys(("linalg.eigh", "linalg.eigvalsh", "linalg.slogdet", "linalg.norm"), 4)
"""Where it is not one."""
KEEP_ORDER = {"empty_like", "zeros_like", "ones_like", "full_like", "copy", "astype", "array"}
"""Functions whose result has its argument's order in memory, or the one that is asked for."""


class SynchronisationError(RuntimeError):
    """The host asked for a number inside `no_synchronisation`."""


class Counts(SimpleNamespace):
    """What happened: kernels, copies to_device and to_host, synchronisations, and their names."""


_counts = []
_refusing = []
_current = [0]


@contextmanager
def counted():
    """Count what happens inside."""
    counts = Counts(kernels=0, to_device=0, to_host=0, synchronisations=0, launched=[])
    _counts.append(counts)
    try:
        yield counts
    finally:
        _counts.remove(counts)


@contextmanager
def no_synchronisation():
    """Refuse what makes the host wait for the device."""
    _refusing.append(True)
    try:
        yield
    finally:
        _refusing.pop()


def _count(what, n=1, name=None):
    for counts in _counts:
        setattr(counts, what, getattr(counts, what) + n)
        if what == "kernels" and n:
            counts.launched.append(name)


def _wait(why):
    if _refusing:
        raise SynchronisationError(f"{why}: the host waits for the device.")
    _count("synchronisations")


class Device:
    """A CUDA device."""

    def __init__(self, device=None):
        self.id = _current[0] if device is None else int(device)

    def __enter__(self):
        _current.append(self.id)
        return self

    def __exit__(self, *_):
        _current.pop()

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self):
        return self.id

    def __repr__(self):
        return f"<CUDA Device {self.id}>"

    def synchronize(self):
        _wait("Device.synchronize()")


def _check_arguments(name, words, args, kwargs):
    """Refuse arguments that CuPy's function of this name does not take."""
    if words is None or "**kwargs" in words:
        return
    plain = [w for w in words if w[0] != "*" and w != "/"]
    positional_only = words[: words.index("/")] if "/" in words else []
    positional = words[: words.index("*,")] if "*," in words else plain
    unknown = [k for k in kwargs if k not in plain or k in positional_only]
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument {unknown[0]!r}")
    if not any(w[0] == "*" and w != "*," for w in words):
        room = len([w for w in positional if w != "/"])
        if len(args) > room:
            raise TypeError(
                f"{name}() takes at most {room} positional arguments ({len(args)} given)"
            )


def _inside(x, name, creating=False):
    """Look into device arrays; refuse those of the host."""
    if type(x) is ndarray:
        if x._device != _current[-1] and not creating:
            raise ValueError(
                f"Array device must be same as the current device: array device = {x._device} "
                f"while current = {_current[-1]}"
            )
        return x._host
    if isinstance(x, np.ndarray) and not creating:
        raise TypeError(f"{name}: Unsupported type {type(x)}")
    if type(x) in (list, tuple):
        return type(x)([_inside(each, name, creating) for each in x])
    return x


def _devices(x):
    if type(x) is ndarray:
        yield x._device
    elif type(x) in (list, tuple):
        for each in x:
            yield from _devices(each)


def _outside(found, inputs, name, ordered=False):
    """Make device arrays of a result; count a kernel unless it is a view of an input."""
    if isinstance(found, tuple | list):
        made = [_outside(each, inputs, name, ordered) for each in found]
        if hasattr(found, "_fields"):
            return type(found)(*made)
        return type(found)(made)
    if not isinstance(found, np.ndarray | np.generic):
        return found
    owner = None
    if isinstance(found, np.ndarray) and found.size:
        owner = next((x for x in inputs if np.may_share_memory(found, x._host)), None)
    elif isinstance(found, np.ndarray) and found.base is not None:
        owner = next(iter(inputs), None)
    if owner is None:
        _count("kernels", KERNELS.get(name, 1), name)
        found = np.asarray(found)
        if not ordered:
            found = np.ascontiguousarray(found).reshape(found.shape)
    return ndarray._of(found, owner)


def _arrays(args):
    for x in args:
        if type(x) is ndarray:
            yield x
        elif type(x) in (list, tuple):
            yield from _arrays(x)


def _poison(found):
    if found.dtype.kind in "fc":
        found[...] = np.nan
    elif found.dtype.kind in "iu":
        found[...] = np.iinfo(found.dtype).max // 3
    else:
        found[...] = True
    return found


def _run(name, function, args, kwargs):
    """Call NumPy's function on what is inside, as CuPy's of this name would be called."""
    short = name.rpartition(".")[2]
    if short in SYNCHRONISE:
        _wait(f"cupy.{name}")
    creating = short in CREATE
    given = [*_arrays(args), *_arrays(kwargs.values())]
    plain = [_inside(x, f"cupy.{name}", creating) for x in args]
    named = {k: _inside(v, f"cupy.{name}", creating) for k, v in kwargs.items()}
    if short in ("sort", "argsort") and named.get("kind") not in (None, "stable"):
        raise ValueError(f"kind must be None or 'stable', not {named['kind']!r}")
    if short == "repeat" and isinstance((*plain[1:], named.get("repeats"))[0], np.ndarray):
        _wait("cupy.repeat with as many repeats as an array says")
    if short.endswith("_like") and not named.get("shape", True):
        del named["shape"]  # as CuPy does: it takes () for no shape
    if creating:
        if plain and not isinstance(plain[0], np.ndarray) and any(given):
            raise TypeError("Implicit conversion of a list of device arrays")
        if not given:
            _count("to_device")
        elif given[0]._device != _current[-1]:
            function, given = np.array, []
        named.pop("blocking", None)
    if isinstance(function, np.ufunc) and function.signature is None:
        named.setdefault("order", "C")
        _check_loops(name, plain)
    if short == "take":
        if isinstance((*args[1:2], kwargs.get("indices"))[0], np.ndarray | list):
            _count("to_device")
        named["mode"] = "wrap"
    if short == "take_along_axis":
        axis = plain[2] if len(plain) > 2 else named.get("axis", -1)
        plain[1] = plain[1] % max(1, plain[0].shape[axis])
    try:
        with _QUIET:
            found = function(*plain, **named)
    except np.linalg.LinAlgError as error:
        if "square" in str(error) or "dimension" in str(error):
            raise
        # CuPy says nothing of a singular matrix; a regular one tells the shape of the result.
        regular = np.broadcast_to(np.eye(plain[0].shape[-1]), plain[0].shape)
        found = np.full_like(function(regular, *plain[1:]), np.nan)
    out = kwargs.get("out")
    if out is not None:
        _count("kernels", KERNELS.get(name, 1), name)
        return out
    if short in HOST:
        return found
    if short in ("empty", "empty_like"):
        return ndarray._of(_poison(found))
    return _outside(found, given, name, ordered=short in KEEP_ORDER)


def _check_loops(name, args):
    """Refuse complex numbers where CuPy's ufunc has no loop for them."""
    loops = SURFACE["ufuncs"].get(name)
    given = any(
        isinstance(x, complex) or getattr(x, "dtype", np.dtype("?")).kind == "c" for x in args
    )
    if loops and given and not any(c in "FD" for loop in loops for c in loop):
        raise TypeError(f"Wrong type of arguments for cupy_{name}")


class ndarray:
    """An array on the device."""

    __slots__ = ("_device", "_host", "base")
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, *_, **__):
        raise TypeError("make it with cupy.asarray or cupy.empty")

    @classmethod
    def _of(cls, host, base=None):
        self = object.__new__(cls)
        self._host = host
        self._device = _current[-1] if base is None else base._device
        self.base = None if base is None else (base if base.base is None else base.base)
        return self

    # What it says of itself.

    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    strides = property(lambda self: self._host.strides)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    shape = property(lambda self: self._host.shape)
    device = property(lambda self: Device(self._device))
    T = property(lambda self: self.transpose())
    mT = property(lambda self: self.swapaxes(-1, -2))

    @property
    def flags(self):
        f = self._host.flags
        return SimpleNamespace(
            c_contiguous=f.c_contiguous, f_contiguous=f.f_contiguous, owndata=self.base is None
        )

    @property
    def __cuda_array_interface__(self):
        return self._host.__array_interface__

    @property
    def real(self):
        return self if self.dtype.kind != "c" else ndarray._of(self._host.real, self)

    @property
    def imag(self):
        if self.dtype.kind != "c":
            return _run("zeros_like", np.zeros_like, (self,), {})
        return ndarray._of(self._host.imag, self)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    # From the device to the host: by name, or by something that needs a number.

    def get(self, stream=None, order="C", out=None, blocking=True):
        _wait("get()")
        _count("to_host")
        return np.array(self._host, order=order)

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def __bool__(self):
        if self.size != 1:
            raise ValueError("The truth value of an array is ambiguous. Use a.any() or a.all()")
        return bool(self.get())

    def __float__(self):
        return float(self.get())

    def __int__(self):
        return int(self.get())

    def __complex__(self):
        return complex(self.get())

    def __repr__(self):
        return repr(self.get())

    def __str__(self):
        return str(self.get())

    def __format__(self, spec):
        return format(self.get(), spec)

    def __reduce__(self):
        return asarray, (self.get(),)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __array__(self, *_, **__):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    # NumPy's functions.

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = ufunc.__name__
        if name not in SURFACE["functions"]:
            return NotImplemented
        outs = kwargs.get("out", ())
        kwargs = {k: v for k, v in kwargs.items() if k != "out"}
        if outs:
            (kwargs["out"],) = outs
        for x in (*inputs, *outs):
            known = isinstance(x, ndarray | np.ndarray | np.generic | bool | int | float | complex)
            if not known and not (method == "at" and isinstance(x, tuple | list | slice)):
                return NotImplemented
        if name in ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"):
            # CuPy does so, because NumPy's scalars come here as arrays.
            inputs = [x.item() if isinstance(x, np.ndarray) and not x.ndim else x for x in inputs]
        if method == "at":
            return _ufunc_at(name, *inputs)
        if method != "__call__":
            return NotImplemented
        return _call(name, inputs, kwargs)

    def __array_function__(self, func, types, args, kwargs):
        module = ".".join(func.__module__.split(".")[1:])
        name = f"{module}.{func.__name__}".lstrip(".")
        if name not in SURFACE["functions"]:
            return NotImplemented
        if not all(t in (ndarray, np.ndarray) for t in types):
            return NotImplemented
        return _call(name, args, kwargs)

    # Operators.

    def __neg__(self):
        return _call("negative", (self,), {})

    def __pos__(self):
        return self

    def __abs__(self):
        return _call("absolute", (self,), {})

    def __invert__(self):
        return _call("invert", (self,), {})

    # Reading and writing.

    def __getitem__(self, index):
        items = index if type(index) is tuple else (index,)
        if any(isinstance(i, ndarray | np.ndarray) and i.dtype == bool for i in items):
            _wait("x[mask]")
        plain = self._plain(items)
        found = self._host[plain]
        if any(isinstance(i, np.ndarray) for i in plain):
            _count("kernels", 1, "getitem")
            return ndarray._of(np.ascontiguousarray(found).reshape(found.shape))
        return ndarray._of(self._host[(*plain, ...)] if Ellipsis not in plain else found, self)

    def __setitem__(self, index, value):
        items = index if type(index) is tuple else (index,)
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        if isinstance(value, list | tuple):
            raise TypeError(f"Unsupported type {type(value)}")
        masked = any(isinstance(i, ndarray | np.ndarray) and i.dtype == bool for i in items)
        if masked and getattr(value, "ndim", 0):
            _wait("x[mask] = array")
        plain = self._plain(items)
        if isinstance(value, ndarray) and not any(isinstance(i, np.ndarray) for i in plain):
            here = self._host[(*plain, ...)] if Ellipsis not in plain else self._host[plain]
            if here.__array_interface__ == value._host.__array_interface__:
                return  # x[i] += y has written there already
        value = _inside(value, "setitem", creating=True)
        _count("kernels", 1, "setitem")
        if any(isinstance(i, np.ndarray) and i.dtype.kind in "iu" for i in plain):
            # Of several writes to one place the first wins here, and the last in NumPy.
            places = np.arange(self.size).reshape(self.shape)[plain]
            values = np.broadcast_to(value, places.shape).ravel()[::-1]
            self._host[np.unravel_index(places.ravel()[::-1], self.shape)] = values
        else:
            self._host[plain] = value

    def _plain(self, items):
        """Give an index for NumPy; indices out of range wrap around."""
        used = sum(1 for i in items if i is not None and i is not Ellipsis)
        used += sum(i.ndim - 1 for i in items if hasattr(i, "dtype") and i.dtype == bool and i.ndim)
        axis, plain = 0, []
        for i in items:
            if i is None:
                plain.append(i)
                continue
            if i is Ellipsis:
                axis += self.ndim - used
                plain.append(i)
                continue
            if isinstance(i, list | np.ndarray):
                i = np.asarray(i, dtype=None if np.size(i) else np.intp)
                _count("to_device")
            if type(i) is ndarray:
                i = _inside(i, "index")
            if isinstance(i, np.ndarray) and i.dtype == bool:
                axis += max(i.ndim, 0)
            elif isinstance(i, np.ndarray):
                if i.dtype.kind not in "iu":
                    raise IndexError("arrays used as indices must be of integer or boolean type")
                i = i.astype(np.int64) % max(1, self.shape[axis])
                axis += 1
            elif isinstance(i, slice):
                axis += 1
            elif isinstance(i, bool | np.bool_):
                pass
            else:
                i = i.__index__()
                axis += 1
            plain.append(i)
        return tuple(plain)

    def fill(self, value):
        self[...] = value

    def scatter_add(self, slices, value):
        _ufunc_at("add", self, slices, value)


def _operator(name):
    def forward(self, other):
        if name == "matmul" and getattr(type(other), "__array_ufunc__", 0) is None:
            return NotImplemented
        if getattr(type(other), "__array_ufunc__", 0) is None:
            return NotImplemented
        return getattr(np, name)(self, other)

    def backward(self, other):
        return getattr(np, name)(other, self)

    def in_place(self, other):
        given = _inside(other, f"cupy.{name}")
        function = getattr(np, name)
        function(self._host, given, out=self._host, casting="same_kind")
        _count("kernels", 1, name)
        return self

    return forward, backward, in_place


for _name, _function in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "matmul": "matmul", "mod": "remainder", "floordiv": "floor_divide", "and": "bitwise_and",
    "or": "bitwise_or", "xor": "bitwise_xor", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}.items():  # fmt: skip
    _forward, _backward, _in_place = _operator(_function)
    setattr(ndarray, f"__{_name}__", _forward)
    if _name not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(ndarray, f"__r{_name}__", _backward)
        setattr(ndarray, f"__i{_name}__", _in_place)


def _method(name):
    words = SURFACE["methods"][name]

    def method(self, *args, **kwargs):
        _check_arguments(f"ndarray.{name}", words, args, kwargs)
        if name == "copy":
            kwargs = {"order": "C", **kwargs} if not args else kwargs
        if name in ("argsort", "sort"):
            kwargs = {"kind": "stable", **kwargs}
        return _run(name, getattr(np.ndarray, name), (self, *args), kwargs)

    return method


for _name in SURFACE["methods"]:
    if not hasattr(ndarray, _name) and hasattr(np.ndarray, _name):
        setattr(ndarray, _name, _method(_name))


def _ufunc_at(name, a, index, value=None):
    if name != "add":
        raise TypeError(f"cupy.{name}.at is not supported here")
    items = index if type(index) is tuple else (index,)
    np.add.at(a._host, a._plain(items), _inside(value, "add.at"))
    _count("kernels", 1, "add.at")


def _call(name, args, kwargs):
    """Call the function of this name, with CuPy's arguments only."""
    ufunc = _PLAIN.get(name)
    if ufunc is not None and not kwargs and len(args) == ufunc.nin:
        return _elementwise(name, ufunc, args)
    words = SURFACE["functions"][name]
    _check_arguments(name, words, args, kwargs)
    function = np
    for part in name.split("."):
        function = getattr(function, part)
    return _run(name, function, args, kwargs)


_PLAIN = {
    name: f for name in SURFACE["ufuncs"]
    if isinstance(f := getattr(np, name, None), np.ufunc) and f.signature is None and f.nout == 1
}  # fmt: skip


def _elementwise(name, ufunc, args):
    """Do what `_run` does, without what is not needed for a ufunc of arrays and numbers."""
    plain, complex_numbers = [], False
    for x in args:
        if type(x) is ndarray or isinstance(x, np.ndarray):
            x = _inside(x, f"cupy.{name}")
            complex_numbers |= x.dtype.kind == "c"
        plain.append(x)
    if complex_numbers:
        _check_loops(name, plain)
    with _QUIET:
        found = ufunc(*plain, order="C")
    if _counts:
        _count("kernels", 1, name)
    return ndarray._of(found if type(found) is np.ndarray else np.asarray(found))


class _Quiet:
    """`numpy.errstate` that is made once: a device warns of nothing."""

    def __init__(self):
        self.stack = []

    def __enter__(self):
        self.stack.append(np.seterr(all="ignore"))

    def __exit__(self, *_):
        np.seterr(**self.stack.pop())


_QUIET = _Quiet()


def _module(prefix, **more):
    module = ModuleType(f"cupy.{prefix}".rstrip("."))

    def attribute(name):
        dotted = f"{prefix}.{name}".lstrip(".")
        if dotted not in SURFACE["functions"]:
            raise AttributeError(f"module 'cupy' has no attribute {dotted!r}")
        return lambda *args, **kwargs: _call(dotted, args, kwargs)

    module.__getattr__ = attribute
    vars(module).update(more)
    return module


def is_available():
    return True


def get_default_memory_pool():
    raise NotImplementedError("the fake has no memory pool")


__version__ = SURFACE["cupy"]
__getattr__ = _module("").__getattr__
linalg = _module("linalg")
lib = SimpleNamespace(stride_tricks=_module("lib.stride_tricks"))
cuda = SimpleNamespace(
    Device=Device,
    runtime=SimpleNamespace(CUDARuntimeError=RuntimeError),
    Stream=SimpleNamespace(null=SimpleNamespace(synchronize=lambda: _wait("synchronize()"))),
)


def asarray(a, *args, **kwargs):
    return _call("asarray", (a, *args), kwargs)


def install():
    """Take CuPy's place in this process."""
    sys.modules["cupy"] = sys.modules[__name__]
