"""Read off an installed CuPy which names it has and which arguments they take.

``python tests/cupy_surface.py`` writes ``cupy_surface.json`` beside this file. CuPy's wheel can be
imported without a GPU, so this needs none; `tests.fakecupy` offers what stands in the file and
nothing else. The file holds

- ``functions``: by dotted name the parameters, in order; "*" and "**" mark the variadic ones, "/"
  the end of the positional and "*," the beginning of the keyword-only ones;
- ``ufuncs``: their type signatures, such as "ff->f";
- ``methods``: of ``cupy.ndarray``, as ``functions``;
- ``attributes``: of ``cupy.ndarray``, what is no method;
- ``missing``: names of NumPy that CuPy does not have.
"""

import inspect
import json
import re
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_suffix(".json")
MODULES = ("", "linalg", "lib.stride_tricks", "random", "cuda")


def parameters(signature):
    """Give the parameters of a signature as words."""
    words, kinds = [], inspect.Parameter
    before = None
    for p in signature.parameters.values():
        if before is kinds.POSITIONAL_ONLY and p.kind is not kinds.POSITIONAL_ONLY:
            words.append("/")
        if p.kind is kinds.KEYWORD_ONLY and before not in (
            kinds.KEYWORD_ONLY,
            kinds.VAR_POSITIONAL,
        ):
            words.append("*,")
        words.append({kinds.VAR_POSITIONAL: "*", kinds.VAR_KEYWORD: "**"}.get(p.kind, "") + p.name)
        before = p.kind
    return [*words, "/"] if before is kinds.POSITIONAL_ONLY else words


def from_docstring(thing):
    """Give the parameters of compiled code, which says them in the first line of its docstring."""
    found = re.match(r"[\w.]+\((.*?)\)(?: ->.*)?$", (thing.__doc__ or "").split("\n")[0])
    if found is None:
        return None
    words = [re.sub(r"=.*", "", w).strip() for w in re.split(r",\s*(?![^(]*\))", found[1])]
    words = [w.replace("\\", "").split(" ")[-1] for w in words if w]
    return ["*," if w == "*" else w for w in words if w not in ("self", "_ndarray_base self")]


def surface(cupy):
    """Collect the names and arguments of a CuPy."""
    functions, ufuncs = {}, {}
    for prefix in MODULES:
        module = cupy
        for part in prefix.split(".") if prefix else ():
            module = getattr(module, part)
        for name in sorted(n for n in dir(module) if not n.startswith("_")):
            thing, dotted = getattr(module, name), f"{prefix}.{name}".lstrip(".")
            if isinstance(thing, cupy.ufunc):
                ufuncs[dotted] = thing.types
            if isinstance(thing, type) or inspect.ismodule(thing) or not callable(thing):
                continue
            try:
                functions[dotted] = parameters(inspect.signature(thing))
            except (TypeError, ValueError):
                functions[dotted] = from_docstring(thing)
    methods, attributes = {}, []
    for name in sorted(n for n in dir(cupy.ndarray) if not n.startswith("_")):
        thing = getattr(cupy.ndarray, name)
        if callable(thing):
            methods[name] = from_docstring(thing)
        else:
            attributes.append(name)
    missing = [n for n in sorted(np.__all__) if callable(getattr(np, n)) and not hasattr(cupy, n)]
    return {
        "cupy": cupy.__version__,
        "numpy": np.__version__,
        "functions": functions,
        "ufuncs": ufuncs,
        "methods": methods,
        "attributes": attributes,
        "missing": missing,
    }


if __name__ == "__main__":
    import cupy

    FILE.write_text(json.dumps(surface(cupy), separators=(",", ":")).replace('],"', '],\n"') + "\n")
    print(FILE)
