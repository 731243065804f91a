"""The command line: ``minisam train``, ``verify``, ``compare``, ``sharpness`` and more.

Results go to stdout; progress and errors go to stderr. Exit codes: 0 done, 1 failed (or an equation
does not hold), 2 wrong arguments, 130 interrupted, 141 when nobody reads the output any more. A
command is imported when it is called, so that ``minisam --help`` costs little more than importing
NumPy.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from minisam.cli.arguments import parse
from minisam.cli.parser import Refused
from minisam.threads import one_blas_thread

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments, without the program's name; by default those of the process.

    Returns
    -------
    int
        Exit code: 0, 1 (failed), 2 (wrong arguments), 130 (interrupted) or 141 (unread).

    Examples
    --------
    >>> main(["train", "--help"])
    usage: minisam train [-h] [--data NAME] ...
    0
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a λ must not end a run whose output is ASCII
            stream.reconfigure(errors="replace")
    try:
        code = _call(parse(sys.argv[1:] if argv is None else list(argv)))
        if sys.stdout is not None:  # closed from the start (>&-)
            sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse leaves in this way after --help and --version
        return int(stop.code or 0)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return refused.code
    except KeyboardInterrupt:
        print("minisam: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError as error:
        if not _unread():
            print(f"minisam: {error}", file=sys.stderr)
            return 1
        with open(os.devnull, "wb") as nowhere:  # Python writes what is left when it ends
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 141  # quietly, as other programs do by SIGPIPE


def _unread() -> bool:
    """Whether stdout is the pipe that is broken: who read it has enough (| head)."""
    from select import POLLERR, POLLHUP, poll

    stdout = poll()
    with suppress(OSError):  # a stream without a descriptor
        stdout.register(sys.stdout.fileno(), 0)
    return any(event & (POLLERR | POLLHUP) for _, event in stdout.poll(0))


def _call(args: Namespace) -> int:
    """Run the command; what the library refuses becomes a message and an exit code."""
    from minisam.arrays import DeviceError
    from minisam.data import DamagedFileError
    from minisam.sam.perturbation import NonFiniteError
    from minisam.training import CheckpointError, DivergedError

    who = f"minisam {args.command}"
    try:
        command = import_module(f"minisam.cli.{args.command}")
        with _one_blas_thread():
            code: int = command.run(args)
    except CheckpointError as error:
        hint = "On the command line, --no-resume overwrites it and --out names another folder."
        raise Refused(f"{who}: {error} {hint}", 1) from error
    except BrokenPipeError:
        raise
    except (
        OSError,
        ImportError,
        DamagedFileError,
        DeviceError,
        DivergedError,
        NonFiniteError,
        FloatingPointError,
    ) as error:
        raise Refused(f"{who}: {error}", 1) from error
    except ValueError as error:
        raise Refused(f"{who}: {error} See '{who} --help'.", 2) from error
    return code


def _one_blas_thread() -> Any:
    """Hold BLAS to one thread, unless the user has said how many.

    The products of a small network last microseconds. On cores that others use as well, BLAS
    threads wait for one another longer than they compute: a small convolution takes up to 70 times
    as long. Threadpoolctl comes with scikit-learn; without it nothing is changed.
    """
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    if any(name in os.environ for name in names) or find_spec("threadpoolctl") is None:
        return nullcontext()
    return one_blas_thread()
