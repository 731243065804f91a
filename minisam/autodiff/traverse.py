"""Two traversals of one recording are all of differentiation.

*Pull* goes from the output back to the variables, newest first, and carries cotangents (reverse
mode, the VJP). *Push* goes from the variables to the output, oldest first, and carries tangents
(forward mode, the JVP). Creation numbers give the order, so neither recurses nor visits a Tensor
twice. Cotangents and tangents live in a dict of the traversal and are freed with it.

With ``keep`` the rules get the Tensors themselves and so record what they do, because something
outside is differentiating too; without it they get plain values and run at NumPy's speed.
"""

from collections.abc import Iterable
from typing import TypeAlias

from minisam.arrays import Array
from minisam.autodiff.parts import Part, total
from minisam.autodiff.tensor import Tensor

Path: TypeAlias = list[tuple[Tensor, list[int]]]
"""Tensors, oldest first, each with the positions of those of its inputs that are on the path."""


def path(output: Tensor, variables: Iterable[Tensor]) -> Path:
    """List the Tensors through which the output depends on the variables, oldest first.

    Parameters
    ----------
    output : Tensor
        Where the recording ends.
    variables : iterable of Tensor
        Where it begins.

    Returns
    -------
    list of (Tensor, list of int)
        Variables included, with no positions; empty if the output depends on none of them.
    """
    active = {v.number for v in variables}
    first = min(active)
    found = {output.number: output}
    ahead = [output]
    while ahead:
        for x in ahead.pop().inputs:
            if type(x) is Tensor:
                number = x.number
                if number >= first and number not in found:
                    found[number] = x
                    ahead.append(x)
    nodes: Path = []
    for number in sorted(found):
        node = found[number]
        if number in active:
            nodes.append((node, []))
            continue
        its = [i for i, x in enumerate(node.inputs) if type(x) is Tensor and x.number in active]
        if its:
            active.add(number)
            nodes.append((node, its))
    return nodes if output.number in active else []


def pull(nodes: Path, ct: Array, keep: bool) -> dict[int, Array]:
    """Carry a cotangent from the last of the nodes back to the variables.

    Parameters
    ----------
    nodes : list of (Tensor, list of int)
        A `path`.
    ct : array
        Cotangent of its last node.
    keep : bool
        Record the rules, so that the result can be differentiated again.

    Returns
    -------
    dict from int to array
        The variables' cotangents, by creation number; a variable that nothing reached is missing.
    """
    arrived: dict[int, list[Array]] = {nodes[-1][0].number: [ct]} if nodes else {}
    done: dict[int, Array] = {}
    for node, its in reversed(nodes):
        parts = arrived.pop(node.number, None)
        if parts is None:
            continue
        ct = parts[0]
        if len(parts) > 1 or type(ct) is Part:
            ct = total(parts)
        if not its:
            done[node.number] = ct
            continue
        inputs, op, params = node.inputs, node.op, node.params
        if keep:
            y, args = node, inputs
        else:
            y = node.value
            args = tuple([x.value if type(x) is Tensor else x for x in inputs])
            if ct.dtype is not y.dtype:
                ct = ct.astype(y.dtype)
        for i in its:
            found = op.pull(i, ct, y, *args, **params)  # type: ignore[union-attr]
            number = inputs[i].number
            if number in arrived:
                arrived[number].append(found)
            else:
                arrived[number] = [found]
    return done


def push(nodes: Path, tangents: dict[int, Array], keep: bool) -> Array:
    """Carry the variables' tangents forward to the last of the nodes.

    Parameters
    ----------
    nodes : list of (Tensor, list of int)
        A `path`.
    tangents : dict from int to array
        The variables' tangents, by creation number.
    keep : bool
        Record the rules, so that the result can be differentiated again.

    Returns
    -------
    array
        The last node's tangent.
    """
    tangents = dict(tangents)
    for node, positions in nodes:
        if not positions:
            continue
        inputs = node.inputs
        its: list[Array | None] = [None] * len(inputs)
        for i in positions:
            its[i] = tangents[inputs[i].number]
        if keep:
            y, args = node, inputs
        else:
            y, args = node.value, tuple([x.value if type(x) is Tensor else x for x in inputs])
        tangents[node.number] = node.op.push(its, y, *args, **node.params)  # type: ignore[union-attr]
    return tangents[nodes[-1][0].number]
