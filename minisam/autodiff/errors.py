"""The two errors of the engine: a shape that does not fit, a derivative that is not one."""


class ShapeError(ValueError):
    """The shapes of an operation's arguments do not fit; the message gives the op and shapes."""


class GradientError(AssertionError):
    """A derivative rule disagrees with its function; raised by `minisam.check_grads`."""
