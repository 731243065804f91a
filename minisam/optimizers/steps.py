"""What a step does with a gradient.

A method of `minisam.sam` says which gradient; an optimizer says what to do with it; a schedule
says how far. None of them remembers anything: what a run has accumulated is a dict of arrays
that the caller carries, so a checkpoint saves it whole and a resumed run continues bit for bit::

    state = opt.init(w)
    for t in range(total):
        g = gradient(w)
        w, state = opt.step(w, g, state, opt.lr_at(t, total))

A step returns new arrays and leaves its arguments as they were. The updates are those of
`torch.optim`. Inside a step, an in-place operator only ever touches an array made in that step:
for a large w the cost is memory traffic, and a temporary saved is time saved. Operators and
`numpy.sqrt` dispatch by the array's type, so a step never leaves the device w lives on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from minisam.arrays import Array
from minisam.optimizers.checks import (
    LR_HINT,
    check_step,
    checked_weight_decay,
    in_range,
    set_fields,
)
from minisam.optimizers.schedules import Schedule, checked_lr, lr_at

State: TypeAlias = dict[str, Array]
"""What an optimizer remembers: arrays by name, ready for `numpy.savez`."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, with momentum and weight decay.

    With weight decay λ, momentum μ and learning rate η::

        d ← g + λ w               (coupled; decoupled leaves d = g and first does w ← (1 − η λ) w)
        b ← μ b + d               (b = 0 before the first step, so the first b is d)
        w ← w − η b               (Nesterov: w − η (d + μ b);  without momentum: w − η d)

    Coupled decay with λ is plain descent on the loss plus λ/2 ‖w‖², and passes through the
    momentum; decoupled decay shrinks w directly and does not.

    Parameters
    ----------
    lr : float or Schedule
        Learning rate η >= 0, or a function ``(t, total) -> η``.
    momentum : float
        Decay μ of the velocity, in [0, 1).
    nesterov : bool
        Step along the gradient plus the decayed velocity; needs momentum.
    weight_decay : float
        Strength λ >= 0.
    decoupled : bool
        Where λ acts: on the gradient (False), or on w itself (True).

    Raises
    ------
    ValueError
        If a number is outside its range, or ``nesterov`` comes without momentum.

    Examples
    --------
    Two steps on L(w) = ‖w‖²/2, whose gradient is w:

    >>> opt = SGD(lr=0.1, momentum=0.5)
    >>> w = np.array([1.0, -2.0])
    >>> state = opt.init(w)
    >>> for t in range(2):
    ...     w, state = opt.step(w, w, state, opt.lr_at(t, 2))
    >>> w
    array([ 0.76, -1.52])
    >>> state
    {'momentum': array([ 1.4, -2.8])}
    """

    lr: float | Schedule
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    decoupled: bool = False

    def __post_init__(self) -> None:
        set_fields(
            self,
            lr=checked_lr(self.lr, "SGD"),
            weight_decay=checked_weight_decay(self.weight_decay, "SGD"),
        )
        hint = "Near 1 the velocity hardly decays; 0.9 is usual."
        set_fields(self, momentum=in_range("SGD: momentum", self.momentum, hint, below=1.0))
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                "SGD: nesterov=True looks ahead along the momentum, but momentum is 0.0. "
                "Set momentum=0.9, or nesterov=False."
            )

    def lr_at(self, t: int, total: int) -> float:
        """Return the learning rate of step t of a run of ``total`` steps.

        Parameters
        ----------
        t : int
            Steps already taken: 0 for the first.
        total : int
            Steps in the whole run.

        Returns
        -------
        float
            The learning rate η.

        Examples
        --------
        >>> from minisam.optimizers import cosine
        >>> SGD(lr=cosine(0.1)).lr_at(50, 100)
        0.05
        """
        return lr_at(self.lr, t, total)

    def init(self, w: Array) -> State:
        """Return the state before the first step.

        Parameters
        ----------
        w : array, shape (d,)
            The parameters.

        Returns
        -------
        dict of str to array
            The buffer ``momentum``, shape (d,), or nothing without momentum.

        Examples
        --------
        >>> SGD(lr=0.1).init(np.ones(2))
        {}
        """
        return {"momentum": np.zeros_like(w)} if self.momentum else {}

    def step(
        self, w: Array, g: Array, state: Mapping[str, Array], lr: float
    ) -> tuple[Array, State]:
        """Take one step along a gradient.

        Parameters
        ----------
        w : array, shape (d,)
            The parameters.
        g : array, shape (d,)
            The gradient at w, of w's dtype.
        state : mapping of str to array
            From `init`, or from the step before.
        lr : float
            The learning rate of this step.

        Returns
        -------
        w_new : array, shape (d,)
            The parameters after the step: a new array.
        state_new : dict of str to array
            The state after the step.

        Raises
        ------
        ShapeError
            If g or the state has not w's shape.
        TypeError
            If g or the state has not w's dtype.
        ValueError
            If ``lr`` is negative or not finite, or the state is another optimizer's.

        Examples
        --------
        >>> w_new, _ = SGD(lr=0.1).step(np.array([1.0]), np.array([2.0]), {}, lr=0.1)
        >>> w_new
        array([0.8])
        """
        vectors = {"momentum"} if self.momentum else set()
        check_step(self, w, g, state, vectors, names=vectors)
        lr = in_range("SGD.step: lr", lr, LR_HINT)
        w, d = _decay(w, g, self.weight_decay, self.decoupled, lr)
        state_new = {}
        if self.momentum:
            b = self.momentum * state["momentum"]
            b += d
            state_new["momentum"] = b
            d = self.momentum * b + d if self.nesterov else b
        w_new = -lr * d
        w_new += w
        return w_new, state_new


@dataclass(frozen=True)
class Adam:
    """Adam: steps scaled, coordinate by coordinate, by running means of g and g².

    At step t = 1, 2, …, with weight decay λ and learning rate η::

        g ← g + λ w
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        w ← w − η m̂ / (√v̂ + eps),      m̂ = m / (1 − β₁ᵗ),   v̂ = v / (1 − β₂ᵗ)

    Both means start at 0; m̂ and v̂ correct for that start. The step counter stays a host integer,
    whatever w is, so that the two corrections cost no round trip to a device.

    Parameters
    ----------
    lr : float or Schedule
        Learning rate η >= 0, or a function ``(t, total) -> η``.
    betas : tuple of float
        The decay rates (β₁, β₂), each in [0, 1).
    eps : float
        Keeps the quotient finite where v̂ vanishes; >= 0.
    weight_decay : float
        Strength λ >= 0, coupled: the gradient of λ/2 ‖w‖² is added to g, and scaled with it.

    Raises
    ------
    ValueError
        If a number is outside its range.

    See Also
    --------
    AdamW : The same with decoupled weight decay.

    Examples
    --------
    The first step has length η in every coordinate, whatever the gradient's scale:

    >>> opt = Adam(lr=0.1)
    >>> w = np.array([1.0, 1.0])
    >>> w, state = opt.step(w, np.array([30.0, -0.02]), opt.init(w), lr=0.1)
    >>> w.round(6)
    array([0.9, 1.1])
    >>> sorted(state)
    ['m', 'step', 'v']
    """

    lr: float | Schedule = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    decoupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        name = type(self).__name__
        set_fields(
            self,
            lr=checked_lr(self.lr, name),
            weight_decay=checked_weight_decay(self.weight_decay, name),
        )
        set_fields(self, eps=in_range(f"{name}: eps", self.eps, "Use a tiny number such as 1e-8."))
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(
                f"{name}: betas must be two numbers in [0, 1), got {self.betas}. "
                "(0.9, 0.999) is usual."
            )
        set_fields(self, betas=(float(self.betas[0]), float(self.betas[1])))

    def lr_at(self, t: int, total: int) -> float:
        """Return the learning rate of step t of a run of ``total`` steps.

        Parameters
        ----------
        t : int
            Steps already taken: 0 for the first.
        total : int
            Steps in the whole run.

        Returns
        -------
        float
            The learning rate η.

        Examples
        --------
        >>> Adam().lr_at(50, 100)
        0.001
        """
        return lr_at(self.lr, t, total)

    def init(self, w: Array) -> State:
        """Return the state before the first step.

        Parameters
        ----------
        w : array, shape (d,)
            The parameters.

        Returns
        -------
        dict of str to array
            The means ``m`` and ``v``, shape (d,), and the counter ``step``, an integer on the host.

        Examples
        --------
        >>> Adam().init(np.ones(2))
        {'m': array([0., 0.]), 'v': array([0., 0.]), 'step': array(0)}
        """
        return {"m": np.zeros_like(w), "v": np.zeros_like(w), "step": np.array(0)}

    def step(
        self, w: Array, g: Array, state: Mapping[str, Array], lr: float
    ) -> tuple[Array, State]:
        """Take one step along a gradient.

        Parameters
        ----------
        w : array, shape (d,)
            The parameters.
        g : array, shape (d,)
            The gradient at w, of w's dtype.
        state : mapping of str to array
            From `init`, or from the step before.
        lr : float
            The learning rate of this step.

        Returns
        -------
        w_new : array, shape (d,)
            The parameters after the step: a new array.
        state_new : dict of str to array
            The state after the step.

        Raises
        ------
        ShapeError
            If g or the state has not w's shape.
        TypeError
            If g or the state has not w's dtype.
        ValueError
            If ``lr`` is negative or not finite, or the state is another optimizer's.

        Examples
        --------
        >>> opt, w = Adam(), np.array([1.0])
        >>> w_new, state = opt.step(w, np.array([4.0]), opt.init(w), lr=0.5)
        >>> w_new.round(6), state["step"]
        (array([0.5]), array(1))
        """
        check_step(self, w, g, state, vectors={"m", "v"}, names={"m", "v", "step"})
        lr = in_range(f"{type(self).__name__}.step: lr", lr, LR_HINT)
        w, g = _decay(w, g, self.weight_decay, self.decoupled, lr)
        beta1, beta2 = self.betas
        t = int(state["step"]) + 1
        m = beta1 * state["m"]
        m += (1 - beta1) * g
        v = g * g
        v *= 1 - beta2
        v += beta2 * state["v"]
        root = np.sqrt(v)
        root /= math.sqrt(1 - beta2**t)
        root += self.eps
        w_new = m / root
        w_new *= -lr / (1 - beta1**t)
        w_new += w
        return w_new, {"m": m, "v": v, "step": np.array(t)}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: w ← (1 − η λ) w, then Adam's step without decay.

    Adam's own decay divides λ w by √v̂ with the rest of the gradient, so that weights with large
    gradients hardly decay; here every weight decays at the same rate η λ.

    Parameters
    ----------
    lr : float or Schedule
        Learning rate η >= 0, or a function ``(t, total) -> η``.
    betas : tuple of float
        The decay rates (β₁, β₂), each in [0, 1).
    eps : float
        Keeps the quotient finite where v̂ vanishes; >= 0.
    weight_decay : float
        Strength λ >= 0, decoupled.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Examples
    --------
    Where the gradient vanishes only the decay is left, 1 − 0.1 · 0.5:

    >>> opt = AdamW(lr=0.1, weight_decay=0.5)
    >>> w = np.array([1.0, 1.0])
    >>> opt.step(w, np.array([0.0, 3.0]), opt.init(w), lr=0.1)[0].round(6)
    array([0.95, 0.85])
    """

    weight_decay: float = 0.01

    decoupled: ClassVar[bool] = True


# Schedules. They are classes only in order to print, compare and pickle; read them as functions.


def _decay(
    w: Array, g: Array, weight_decay: float, decoupled: bool, lr: float
) -> tuple[Array, Array]:
    """Where weight decay acts: on w itself, or as a part of the gradient."""
    if not weight_decay:
        return w, g
    if decoupled:
        return w * (1 - lr * weight_decay), g
    return w, weight_decay * w + g
