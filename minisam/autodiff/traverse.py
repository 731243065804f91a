"""Two traversals of one recording are all of differentiation.

*Pull* goes from the output back to the variables, newest first, and carries cotangents (reverse
mode, the VJP). *Push* goes from the variables to the output, oldest first, and carries tangents
(forward mode, the JVP). Creation numbers give the order, so neither recurses nor visits a Tensor
twice. Cotangents and tangents live in a dict of the traversal and are freed with it.

With ``keep`` the rules get the Tensors themselves and so record what they do, because something
outside is differentiating too; without it they get plain values and run at NumPy's speed.
"""

from typing import TypeAlias

from minisam.arrays import Array
from minisam.autodiff.parts import total
from minisam.autodiff.tensor import Tensor

Path: TypeAlias = dict[int, Tensor]
"""Tensors by creation number, oldest first; the last is the output."""


def path(output: Tensor, variables: list[Tensor]) -> Path:
    """Find the Tensors through which the output depends on the variables.

    Parameters
    ----------
    output : Tensor
        Where the recording ends.
    variables : list of Tensor
        Where it begins.

    Returns
    -------
    dict from int to Tensor
        Variables included; empty if the output depends on none of them.
    """
    first = variables[0].number
    found = {output.number: output}
    ahead = [output]
    while ahead:
        for x in ahead.pop().parents:
            if x is not None:
                number = x.number
                if number >= first and number not in found:
                    found[number] = x
                    ahead.append(x)
    nodes = {x.number: x for x in variables}
    for number in sorted(found):
        node = found[number]
        for x in node.parents:
            if x is not None and x.number in nodes:
                nodes[number] = node
                break
    return nodes if output.number in nodes else {}


def pull(nodes: Path, ct: Array, keep: bool) -> dict[int, Array]:
    """Carry a cotangent from the last of the nodes back to the variables.

    Parameters
    ----------
    nodes : dict from int to Tensor
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
    done: dict[int, Array] = {}
    arrived: dict[int, list[Array]] = {number: [ct] for number in [*nodes][-1:]}
    for number in reversed(nodes):
        parts = arrived.pop(number, None)
        if parts is None:
            continue
        node = nodes[number]
        ct = parts[0]
        if len(parts) > 1 or type(ct) is list:
            ct = total(parts, node.value)
        op, args, params, y = node.op, node.args, node.params, node.value
        if keep:
            y, args = node, _with_tensors(node)
        elif ct.dtype is not y.dtype:
            ct = ct.astype(y.dtype)
        is_variable = True
        for i, x in enumerate(node.parents):
            if x is not None and x.number in nodes:
                is_variable = False
                found = op.pull(i, ct, y, *args, **params)  # type: ignore[union-attr]
                if x.number in arrived:
                    arrived[x.number].append(found)
                else:
                    arrived[x.number] = [found]
        if is_variable:
            done[number] = ct
    return done


def push(nodes: Path, tangents: dict[int, Array], keep: bool) -> Array:
    """Carry the variables' tangents forward to the last of the nodes.

    Parameters
    ----------
    nodes : dict from int to Tensor
        A `path`, not empty.
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
    for number, node in nodes.items():
        if number in tangents:
            continue
        its = [None if x is None else tangents.get(x.number) for x in node.parents]
        y, args = (node, _with_tensors(node)) if keep else (node.value, node.args)
        tangents[number] = node.op.push(its, y, *args, **node.params)  # type: ignore[union-attr]
    return tangents[number]


def _with_tensors(node: Tensor) -> tuple[Array, ...]:
    """The arguments as Tensors where they have one, so that rules on them are recorded."""
    pairs = zip(node.args, node.parents, strict=True)
    return tuple([a if x is None else x for a, x in pairs])
