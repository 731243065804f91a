"""What may be written after ``minisam``, and one line for what may not."""

import argparse

from minisam.cli.parser import Parser, Refused, Version, nearest, one_of, seed_of, unknown, widths
from minisam.cli.presets import TABLES

COMMANDS: tuple[str, ...] = ("train", "verify", "compare", "sharpness", "batchsizes", "figures")
COMMANDS += ("sde", "course", "book")
STEPS = ("release", "grade", "check")
DATA = ("digits", "mnist", "fashion-mnist", "cifar10", "cifar10-16", "optdigits", "letter")
DTYPES = ("float32", "float64")
LEARNING_RATES = {"mlp": 0.1, "cnn": 0.02, "resnet": 0.02}
"""Where ``--lr`` is not given. At 0.1 the cnn's units die on Fashion-MNIST: λmax starts at 1000."""
MODELS = tuple(LEARNING_RATES)
METHODS = (
    *("sam", "erm", "usam", "dnsam", "esam", "looksam", "sssam", "aesam", "aelooksam"),
    *("gsam", "fsam", "msam"),
)
METHOD_OPTIONS: dict[str, tuple[type, str]] = {
    "order": (int, "sam: 1 as published, 2 keeps the term it drops; without it 1"),
    "eta": (float, "sam: with a number ASAM, whose ball is scaled by |w| + eta"),
    "steps": (int, "sam: ascent steps, each projected onto the ball; without it 1"),
    "chunk": (int, "sam: examples that climb together (m-sharpness); without it the batch"),
    "k": (int, "looksam: steps from one climb to the next; without it 5"),
    "alpha": (float, "looksam, aelooksam, gsam: weight of the added part"),
    "beta": (float, "esam: probability that a weight is perturbed; without it 0.6"),
    "gamma": (float, "esam: fraction of the examples descended on; without it 0.5"),
    "probability": (float, "sssam: that a step climbs; without it 0.5"),
    "delta": (float, "aesam, aelooksam: decay of the mean and the variance; without it 0.9"),
    "lambda1": (float, "aesam, aelooksam: threshold at the end, in deviations; without it -1"),
    "lambda2": (float, "aesam, aelooksam: threshold at the start; without it 1"),
}
"""Of some methods, with their types; beside --rho and --p, which are of the ball."""
SCHEDULES = ("cosine", "constant")
PROBLEMS = (
    *("quadratic", "quadratic-10", "saddle", "embedded-saddle", "wavy", "cosh", "two-wells"),
    *("autoencoder", "teacher-student", "digits", "logistic", "logistic-iris", "deep-linear"),
    *("deep-linear-iris", "deep-sigmoid", "deep-sigmoid-iris"),
)
FIGURES = (
    *("gradient-norms", "normality", "decisions", "cost", "schematic"),
    *("wells", "trajectories", "interpolations"),
)
OUT = "folder of results; without it one in runs, named by the options"
NOISE_KINDS = ("symmetric", "pair")


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
    minisam.cli.parser.Refused: minisam train: argument --data: unknown data set 'digit'. Did you
    mean 'digits'? ...
    """
    parser = _parser()
    if not argv:
        parser.error(f"which command? Choose from {', '.join(COMMANDS)}")
    if not argv[0].startswith("-") and argv[0] not in COMMANDS:
        parser.error(unknown("command", argv[0], COMMANDS))
    if argv[0] == "course" and argv[1:] and not argv[1].startswith("-") and argv[1] not in STEPS:
        hint = "See 'minisam course --help'."
        raise Refused(f"minisam course: {unknown('step', argv[1], STEPS)} {hint}", 2)
    args, rest = parser.parse_known_args(argv)
    who = f"minisam {args.command}"
    if rest:
        places = {"command", "equations", "figures", "table", "problem", "checkpoints"}
        names = vars(args).keys() - places - {"step", "folder", "notebook"}
        options = [f"--{name.replace('_', '-')}" for name in sorted(names)]
        word = rest[0].partition("=")[0]
        near = nearest(word, options) if word.startswith("-") else ""
        raise Refused(f"{who}: unknown argument {rest[0]!r}. {near}See '{who} --help'.", 2)
    # Not before, or what follows a misspelt option would be taken for a misspelt figure.
    for name in getattr(args, "figures", ()):
        if name not in FIGURES:
            raise Refused(f"{who}: {unknown('figure', name, FIGURES)} See '{who} --help'.", 2)
    if args.command == "compare":
        if args.table not in TABLES:  # not before, or the value of a misspelt option would be one
            known = list(filter(None, TABLES))
            hint = "See 'minisam compare --help'."
            raise Refused(f"minisam compare: {unknown('table', args.table, known)} {hint}", 2)
        for name, value in TABLES[args.table].items():
            if getattr(args, name) is None:
                setattr(args, name, value)
    if args.command in ("train", "compare") and args.lr is None:
        args.lr = LEARNING_RATES[args.model]
    args.argv = argv
    return args


def _parser() -> Parser:
    about = "Sharpness-aware minimization in pure NumPy, every equation checked."
    parser = Parser("minisam", description=about, allow_abbrev=False)
    parser.add_argument(
        "--version",
        action=Version,
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
    about = "Compare methods over seeds and noise rates, in parallel and resumable, as a table."
    compare = commands.add_parser("compare", help=about, description=about, allow_abbrev=False)
    _compare_arguments(compare)
    about = "Measure the sharpness of trained models in every way, side by side."
    sharpness = commands.add_parser("sharpness", help=about, description=about, allow_abbrev=False)
    _sharpness_arguments(sharpness)
    about = "Train with batches of several sizes, and say which sharpness predicts the gap."
    sizes = commands.add_parser("batchsizes", help=about, description=about, allow_abbrev=False)
    _batchsizes_arguments(sizes)
    about = "Draw the figures of the sources, from networks trained for them."
    figures = commands.add_parser("figures", help=about, description=about, allow_abbrev=False)
    _figures_arguments(figures)
    about = "Simulate an algorithm beside its SDE, and say how far apart they are."
    sde = commands.add_parser("sde", help=about, description=about, allow_abbrev=False)
    _sde_arguments(sde)
    about = "Hand out assignments, grade what comes back, or check one's own notebook."
    course = commands.add_parser("course", help=about, description=about, allow_abbrev=False)
    _course_arguments(course)
    about = "Make the book: chapters, tutorials and reference as web pages. Needs a checkout."
    book = commands.add_parser("book", help=about, description=about, allow_abbrev=False)
    where = "folder to write to (default: %(default)s)"
    book.add_argument("--out", metavar="DIR", default="runs/book", help=where)
    return parser


def _train_arguments(train: Parser) -> None:
    _problem_arguments(train)
    train.choose("--method", "method", METHODS)
    train.add("--rho", 0.05, "radius of the ball, in units of the parameters")
    _method_arguments(train)
    train.add("--epochs", 30, "passes through the training examples", metavar="N")
    _optimizer_arguments(train)
    train.add("--seed", 0, "of the examples kept, the parameters and the batches", seed_of, "N")
    train.add("--device", "cpu", "where to train: cpu, or cuda, a GPU, with CuPy", metavar="NAME")
    train.add("--out", None, OUT, str, "DIR")
    switch = argparse.BooleanOptionalAction
    train.add_argument("--compare", action=switch, default=True, help="train ERM as well")
    resume = "go on from the checkpoints in DIR"
    train.add_argument("--resume", action=switch, default=True, help=resume)
    train.add_argument("--quiet", action="store_true", help="print the table only")


def _figures_arguments(figures: Parser) -> None:
    what = f"{', '.join(FIGURES)}; without any all"
    figures.add_argument("figures", nargs="*", metavar="FIGURE", help=what)
    figures.add("--out", "figures", "folder of the files", metavar="DIR")
    figures.choose("--data", "data set", DATA)
    figures.add("--train", None, "training examples to keep; without it all", int, "N")
    figures.add("--test", None, "test examples to keep; without it all", int, "N")
    figures.add("--root", None, "folder of data to look in first", str, "DIR")
    figures.add("--noise", 0.0, "fraction of the training labels that are made wrong")
    figures.add("--rho", 0.05, "radius of the ball, in units of the parameters")
    figures.add("--epochs", 30, "passes through the training examples", metavar="N")
    figures.add("--seed", 0, "the first seed", seed_of, "N")
    figures.add("--seeds", 3, "how many seeds, one after the other", metavar="N")
    figures.add_argument("--quiet", action="store_true", help="show no progress")


def _compare_arguments(compare: Parser) -> None:
    compare.add_argument(
        "table",
        nargs="?",
        metavar="TABLE",
        help="table1 (no noise) or table2 (20 to 80 %% noise): what the AE-SAM poster's table "
        "has, beside its numbers; every option changes it",
    )
    what = "as in erm,sam,sam:rho=0.2:steps=3, with options after colons; without it erm,sam"
    compare.add("--methods", None, what, str, "NAMES")
    compare.add("--seeds", "5", "how many, as in 5, or which, as in 3,7", str, "LIST")
    compare.add("--noise", None, "rates of wrong training labels, as in 0,0.2", str, "LIST")
    compare.choose("--noise-kind", "kind of noise", NOISE_KINDS)
    _problem_arguments(compare)
    compare.add("--rho", None, "radius of the ball; without it 0.05, for table2 0.1", float)
    _method_arguments(compare)
    compare.add("--epochs", None, "passes; without it 30, for the tables 200", int, "N")
    _optimizer_arguments(compare)
    compare.add("--jobs", None, "processes; without it one for each core", int, "N")
    compare.add("--cluster", None, "run on the Dask cluster of this scheduler", str, "ADDRESS")
    compare.add("--out", None, OUT + "; finished cells in it are not run again", str, "DIR")
    compare.add_argument("--quiet", action="store_true", help="show no progress")


def _sharpness_arguments(sharpness: Parser) -> None:
    what = "file of minisam train, or folder of them; runs that differ in their seed alone are "
    what += "averaged, and two that differ otherwise are subtracted"
    sharpness.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help=what)
    what = "data set it must have been trained on; without it what the checkpoint says"
    sharpness.add("--data", None, what, one_of("data set", DATA), "NAME")
    sharpness.add("--root", None, "folder of data to look in first", str, "DIR")
    sharpness.add("--noise", 0.0, "fraction of the training labels that were made wrong")
    sharpness.choose("--noise-kind", "kind of noise", NOISE_KINDS)
    sharpness.add("--rho", 0.05, "radius of the ball, in units of the parameters")
    sharpness.add("--p", 2.0, "exponent of the ball's norm, from 1 to inf")
    sharpness.add("--adaptive-rho", 0.5, "radius of ASAM's ball, relative to the parameters")
    what = "examples that climb together (m-sharpness); without it the batch trained with"
    sharpness.add("--chunk", None, what, int, "N")
    sharpness.add("--k", 5, "how many of the largest eigenvalues", metavar="N")
    what = "training examples to measure on; without it up to 1,000, for large images fewer"
    sharpness.add("--examples", None, what, int, "N")
    sharpness.add("--seed", 0, "of random directions", seed_of, "N")
    sharpness.add("--json", None, "write the numbers to FILE, or with - print them", str, "FILE")
    sharpness.add("--out", None, "draw figures, into this folder", str, "DIR")
    sharpness.add_argument("--quiet", action="store_true", help="show no progress")


def _batchsizes_arguments(sizes: Parser) -> None:
    sizes.add("--batch-sizes", "4,8,16,32,64,128", "examples per step", str, "LIST")
    sizes.add("--seeds", "10", "how many, as in 5, or which, as in 3,7", str, "LIST")
    _problem_arguments(sizes, train=400)
    sizes.add("--noise", 0.2, "fraction of the training labels that are made wrong")
    sizes.add("--lr", 0.1, "learning rate of SGD, constant and without momentum")
    sizes.add("--target", 0.01, "training loss at which networks are compared")
    sizes.add("--epochs", 5000, "passes after which a run is given up", metavar="N")
    sizes.add("--rho", 0.05, "radius of the ball, in units of the parameters")
    sizes.add("--jobs", None, "processes; without it one for each core", int, "N")
    sizes.add("--out", None, OUT + "; finished runs in it are not run again", str, "DIR")
    sizes.add_argument("--quiet", action="store_true", help="show no progress")


def _problem_arguments(parser: Parser, train: int | None = None) -> None:
    """Say what is learned, and by what."""
    parser.choose("--data", "data set", DATA)
    what = "training examples to keep" + ("; without it all" if train is None else "")
    parser.add("--train", train, what, int, "N")
    parser.add("--test", None, "test examples to keep; without it all", int, "N")
    parser.add("--root", None, "folder of data to look in first", str, "DIR")
    parser.choose("--dtype", "dtype", DTYPES)
    parser.choose("--model", "model", MODELS)
    what = "widths of the mlp's hidden layers; without it 64,64"
    parser.add("--hidden", None, what, widths, "N,N")


def _method_arguments(parser: Parser) -> None:
    """Say how a method climbs, and when."""
    parser.add("--p", 2.0, "exponent of the ball's norm, from 1 to inf")
    for name, (kind, what) in METHOD_OPTIONS.items():
        parser.add(f"--{name}", None, what, kind, "N" if kind is int else "X")


def _optimizer_arguments(parser: Parser) -> None:
    """Say how steps are taken."""
    parser.add("--batch-size", 60, "examples per step", metavar="N")
    rates = ", ".join(f"{lr:g} for the {model}" for model, lr in LEARNING_RATES.items())
    parser.add("--lr", None, f"learning rate at the start; without it {rates}", float)
    parser.choose("--schedule", "schedule", SCHEDULES)
    parser.add("--momentum", 0.9, "momentum of SGD")
    parser.add("--weight-decay", 5e-4, "weight decay of SGD")


def _sde_arguments(sde: Parser) -> None:
    known = ", ".join(PROBLEMS)
    sde.add_argument("problem", metavar="PROBLEM", type=one_of("problem", PROBLEMS), help=known)
    sde.choose("--method", "method", ("sam", "usam", "dnsam", "sgd"))
    shown = ("paths", "metric", "weak", "stationary", "escape", "cycle")
    what = (
        "means beside each other, how far apart they are for several rho, weak orders, variances "
        "at fixed rho, escape of all methods from a saddle, or SAM's two-cycle without noise"
    )
    what = f"{', '.join(shown)}: {what}"
    sde.add("--experiment", shown[0], what, one_of("experiment", shown), "NAME")
    sde.add("--eta", 0.05, "step size; weak halves it three times")
    what = "radius of the climb; metric and stationary take a quarter and half of it as well"
    sde.add("--rho", 0.1, what)
    sde.add("--sigma", 0.5, "standard deviation of Gaussian noise in each gradient entry")
    what = "draw batches of N examples instead of adding Gaussian noise"
    sde.add("--batch", None, what, int, "N")
    sde.add("--steps", 100, "steps of the algorithm", metavar="N")
    sde.add("--paths", 1000, "how many times it is run", metavar="N")
    sde.add("--substeps", 4, "Euler-Maruyama steps of the SDE in each step", metavar="N")
    sde.add("--radius", 1.0, "escape: of the ball that paths leave")
    sde.add("--seed", 0, "of the noise", seed_of, "N")
    sde.add("--out", "figures", "folder of the figure", metavar="DIR")
    sde.add_argument("--quiet", action="store_true", help="show no progress")


def _course_arguments(course: Parser) -> None:
    steps = course.add_subparsers(title="steps", metavar="STEP", dest="step", required=True)
    about = "Make a course folder, with the student versions of all assignments."
    release = steps.add_parser("release", help=about, description=about, allow_abbrev=False)
    about = "Grade DIR/submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb, and write feedback."
    grade = steps.add_parser("grade", help=about, description=about, allow_abbrev=False)
    for step in (release, grade):
        step.add_argument("folder", metavar="DIR", help="folder of the course")
    grade.add("--out", "grades.csv", "the table of grades", metavar="FILE")
    grade.add("--jobs", None, "processes; without it one for each core", int, "N")
    grade.add_argument("--quiet", action="store_true", help="show no progress")
    about = "Run a notebook as the grader does, with the tests that are in it."
    check = steps.add_parser("check", help=about, description=about, allow_abbrev=False)
    check.add_argument("notebook", metavar="NOTEBOOK", help="an assignment, filled in")
    for step in (grade, check):
        step.add("--timeout", 30, "seconds that a cell may take", metavar="S")
