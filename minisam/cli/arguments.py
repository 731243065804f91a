"""What may be written after ``minisam``, and one line for what may not."""

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

COMMANDS = ("train", "verify", "figures")
DATA = ("digits", "mnist", "fashion-mnist", "cifar10", "cifar10-16", "optdigits", "letter")
DTYPES = ("float32", "float64")
LEARNING_RATES = {"mlp": 0.1, "cnn": 0.02, "resnet": 0.02}
"""Where ``--lr`` is not given. At 0.1 the cnn's units die on Fashion-MNIST: λmax starts at 1000."""
MODELS = tuple(LEARNING_RATES)
METHODS = (
    *("sam", "erm", "usam", "dnsam", "esam", "looksam", "sssam", "aesam", "aelooksam"),
    *("gsam", "fsam", "msam"),
)
SCHEDULES = ("cosine", "constant")
FIGURES = ("gradient-norms", "normality", "decisions", "cost", "schematic")


class Refused(Exception):
    """Something expected went wrong.

    Parameters
    ----------
    message : str
        What the user is told.
    code : int
        The exit code.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def parse(argv: list[str]) -> argparse.Namespace:
    """Understand a command line.

    Parameters
    ----------
    argv : list of str
        Arguments, without the program's name.

    Returns
    -------
    argparse.Namespace
        The command's options, its name as ``command``, and ``argv`` itself.

    Raises
    ------
    Refused
        It cannot be understood.
    SystemExit
        It was ``--help`` or ``--version``, which have been printed.

    Examples
    --------
    >>> parse(["train", "--p", "inf"]).p
    inf
    >>> parse(["train", "--data", "digit"])
    Traceback (most recent call last):
    ...
    minisam.cli.arguments.Refused: minisam train: argument --data: unknown data set 'digit'. Did you
    mean 'digits'? ...
    """
    parser = _parser()
    if not argv:
        parser.error(f"which command? Choose from {', '.join(COMMANDS)}")
    if not argv[0].startswith("-") and argv[0] not in COMMANDS:
        parser.error(_unknown("command", argv[0], COMMANDS))
    args, rest = parser.parse_known_args(argv)
    who = f"minisam {args.command}"
    if rest:
        names = vars(args).keys() - {"command", "equations", "figures"}
        options = [f"--{name.replace('_', '-')}" for name in sorted(names)]
        word = rest[0].partition("=")[0]
        near = _nearest(word, options) if word.startswith("-") else ""
        raise Refused(f"{who}: unknown argument {rest[0]!r}. {near}See '{who} --help'.", 2)
    # Not before, or what follows a misspelt option would be taken for a misspelt figure.
    for name in getattr(args, "figures", ()):
        if name not in FIGURES:
            raise Refused(f"{who}: {_unknown('figure', name, FIGURES)} See '{who} --help'.", 2)
    if args.command == "train" and args.lr is None:
        args.lr = LEARNING_RATES[args.model]
    args.argv = argv
    return args


class _Parser(argparse.ArgumentParser):
    """Refuses with one line, where argparse prints the whole usage as well."""

    def error(self, message: str) -> NoReturn:
        raise Refused(f"{self.prog}: {message.rstrip('.')}. See '{self.prog} --help'.", 2)


class _Version(argparse.Action):
    """Looks the version up only when asked: that takes longer than all the parsing."""

    def __call__(self, *_: Any) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"minisam {version('minisam')}")
        except PackageNotFoundError:
            print("minisam, run from its source without being installed")
        raise SystemExit(0)


def _parser() -> _Parser:
    about = "Sharpness-aware minimization in pure NumPy, every equation checked."
    parser = _Parser("minisam", description=about, allow_abbrev=False)
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,  # it is no setting
        help="print the version",
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )
    about = "Train a model, and beside it the same model by plain ERM, and compare them."
    train = commands.add_parser("train", help=about, description=about, allow_abbrev=False)
    _train_arguments(train)
    about = "Check the equations of the sources, each by a number that could be wrong."
    verify = commands.add_parser("verify", help=about, description=about, allow_abbrev=False)
    verify.add_argument("equations", nargs="*", metavar="EQUATION", help="names; without any all")
    verify.add_argument("--json", action="store_true", help="print JSON instead of a table")
    about = "Draw the figures of the sources, from networks trained for them."
    figures = commands.add_parser("figures", help=about, description=about, allow_abbrev=False)
    _figures_arguments(figures)
    return parser


def _train_arguments(train: argparse.ArgumentParser) -> None:
    def add(name: str, default: Any, what: str, kind: Any = None, metavar: str = "X") -> None:
        shown = what if default is None else f"{what} (default: %(default)s)"
        kind = kind or type(default)
        train.add_argument(name, default=default, help=shown, type=kind, metavar=metavar)

    def choose(name: str, kind: str, known: Sequence[str]) -> None:
        add(name, known[0], ", ".join(known), _one_of(kind, known), "NAME")

    choose("--data", "data set", DATA)
    add("--train", None, "training examples to keep; without it all", int, "N")
    add("--test", None, "test examples to keep; without it all", int, "N")
    add("--root", None, "folder of data to look in first", str, "DIR")
    choose("--dtype", "dtype", DTYPES)
    choose("--model", "model", MODELS)
    add("--hidden", None, "widths of the mlp's hidden layers; without it 64,64", _widths, "N,N")
    choose("--method", "method", METHODS)
    add("--rho", 0.05, "radius of the ball, in units of the parameters")
    add("--p", 2.0, "exponent of the ball's norm, from 1 to inf")
    add("--order", 1, "1 is SAM as published, 2 keeps the term it drops", metavar="N")
    add("--eta", None, "with a number ASAM, whose ball is scaled by |w| + eta", float)
    add("--k", None, "looksam: steps from one climb to the next; without it 5", int, "N")
    add("--alpha", None, "looksam, aelooksam, gsam: weight of the added part", float)
    add("--beta", None, "esam: probability that a weight is perturbed; without it 0.6", float)
    add("--gamma", None, "esam: fraction of the examples descended on; without it 0.5", float)
    add("--epochs", 30, "passes through the training examples", metavar="N")
    add("--batch-size", 60, "examples per step", metavar="N")
    rates = ", ".join(f"{lr:g} for the {model}" for model, lr in LEARNING_RATES.items())
    add("--lr", None, f"learning rate at the start; without it {rates}", float)
    choose("--schedule", "schedule", SCHEDULES)
    add("--momentum", 0.9, "momentum of SGD")
    add("--weight-decay", 5e-4, "weight decay of SGD")
    add("--seed", 0, "of the examples kept, the parameters and the batches", _seed, "N")
    add(
        "--out",
        None,
        "folder of results; without it one in runs, named by the options",
        str,
        "DIR",
    )
    switch = argparse.BooleanOptionalAction
    train.add_argument("--compare", action=switch, default=True, help="train ERM as well")
    resume = "go on from the checkpoints in DIR"
    train.add_argument("--resume", action=switch, default=True, help=resume)
    train.add_argument("--quiet", action="store_true", help="print the table only")


def _figures_arguments(figures: argparse.ArgumentParser) -> None:
    def add(name: str, kind: Any, default: Any, metavar: str, what: str) -> None:
        shown = what if default is None else f"{what} (default: %(default)s)"
        figures.add_argument(name, type=kind, default=default, metavar=metavar, help=shown)

    known = ", ".join(FIGURES)
    what = f"{known}; without any all"
    figures.add_argument("figures", nargs="*", metavar="FIGURE", help=what)
    add("--out", str, "figures", "DIR", "folder of the files")
    add("--data", _one_of("data set", DATA), DATA[0], "NAME", ", ".join(DATA))
    add("--train", int, None, "N", "training examples to keep; without it all")
    add("--test", int, None, "N", "test examples to keep; without it all")
    add("--root", str, None, "DIR", "folder of data to look in first")
    add("--noise", float, 0.0, "X", "fraction of the training labels that are made wrong")
    add("--rho", float, 0.05, "X", "radius of the ball, in units of the parameters")
    add("--epochs", int, 30, "N", "passes through the training examples")
    add("--seed", _seed, 0, "N", "the first seed")
    add("--seeds", int, 3, "N", "how many seeds, one after the other")
    figures.add_argument("--quiet", action="store_true", help="show no progress")


def _one_of(kind: str, known: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in known:
            raise argparse.ArgumentTypeError(_unknown(kind, text, known))
        return text.lower()

    return parse


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        hint = "write 64,64 for two layers of 64"
        raise argparse.ArgumentTypeError(f"{text!r} is no list of widths; {hint}") from None


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; give a whole number from 0 on")
    return int(text)


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    return f"unknown {kind} {name!r}. {_nearest(name, known)}Choose from {', '.join(known)}."


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}? " if near else ""
