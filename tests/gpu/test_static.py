"""No call in `ops` and `nn` makes an array on the host while another one is on a device.

NumPy's functions find CuPy's where an argument is one of its arrays, if CuPy has them. What makes
arrays has no such argument: it needs ``like=``. Test domains (functions of ``rng``) are drawn on
the host.
"""

import ast
from pathlib import Path

import pytest

from tests.fakecupy import CREATE, SURFACE

SOURCE = Path(__file__).parents[2] / "minisam"
FILES = sorted([*(SOURCE / "ops").glob("*.py"), *(SOURCE / "nn").glob("*.py")])
CREATE = CREATE | {"arange", "zeros", "ones", "empty", "full", "eye", "identity", "linspace"}
CREATE |= {"indices", "tri", "fromiter", "frombuffer", "vander", "meshgrid", "logspace"}
OF_TYPES = {"dtype", "iinfo", "finfo", "errstate", "linalg.LinAlgError"}
"""Names that CuPy lacks, or need not have: they take no arrays."""
EXCEPTIONS = {
    # Given lists, or a Python number: nothing is on a device.
    "np.asarray(w)",
    "np.asarray(logits)",
    "np.asarray(outputs)",
    "np.asarray(condition)",
    "np.asarray(indices, dtype=None if np.size(indices) else np.intp)",
    "np.atleast_1d(paired)",
    "np.atleast_1d(n)",
    # A number, to compare with what is on the host.
    "np.uint64(2 ** 32 - 1)",
    # On the host, and moved whole.
    "np.empty(self.size, dtype=np.float64)",
    "np.arange(shape[axis])",
    "np.random.default_rng(seed)",
    "np.random.default_rng(self.seed)",
    # For processors only: `minisam.ops.im2col` takes their place.
    "np.eye(n)",
    "np.vander(POINTS, n, increasing=True)",
}


def calls(path):
    """Give the calls of NumPy's functions outside of domains, with their dotted names."""

    def visit(node, inside):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            inside = inside or any(a.arg == "rng" for a in node.args.args)
        if inside or (isinstance(node, ast.Call) and ast.unparse(node.func) == "cases"):
            return
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.startswith("np.") and "(" not in name:
                yield name[3:], node
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), False)


def complaint(name, node):
    """Say what is wrong with a call; None if nothing is."""
    keywords = {k.arg for k in node.keywords}
    if ast.unparse(node) in EXCEPTIONS or name in OF_TYPES:
        return None
    if name in CREATE and "like" not in keywords:
        return "makes an array on the host: give like="
    if name not in SURFACE["functions"] or name in ("eye", "full", "ones"):
        return "is not in CuPy, or takes no like= there"
    if keywords & {"where", "initial"}:
        return "has a keyword that CuPy does not take"
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_no_array_is_made_on_the_host(path):
    found = [(ast.unparse(node), complaint(name, node)) for name, node in calls(path)]
    assert [(call, why) for call, why in found if why] == []


def test_exceptions_are_needed():
    everywhere = {ast.unparse(node) for path in FILES for _, node in calls(path)}
    assert everywhere >= EXCEPTIONS


@pytest.mark.parametrize(
    "line",
    [
        "np.zeros(3)",
        "np.arange(len(x)) + x",
        "np.eye(3, like=x)",
        "np.vecdot(x, y)",
        "np.sum(x, where=m)",
        "np.asarray(x)",
    ],
)
def test_it_can_complain(line):
    node = next(n for n in ast.walk(ast.parse(line)) if isinstance(n, ast.Call))
    assert complaint(ast.unparse(node.func)[3:], node)
