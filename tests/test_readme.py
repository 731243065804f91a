"""What the README says is so: its code runs, its commands are the ones that CI calls."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

import minisam as ms
from minisam.autodiff import PRIMITIVES
from minisam.cli.arguments import parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_python_runs():
    before = set(PRIMITIVES)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, names)
    for name in set(PRIMITIVES) - before:
        del PRIMITIVES[name]
    assert names["exp2"](3.0) == 8.0


def test_the_values_in_its_comments_are_those_of_its_code():
    setup, calls = re.search(r"```python\n(.*?)\n\n(ms\..*?)```", README, re.DOTALL).groups()
    names = {}
    exec(setup, names)
    lines = re.findall(r"^(ms\..*?) +# \[(.*?)\]: ", calls, re.MULTILINE)
    assert len(lines) == 5
    for call, values in lines:
        found = eval(call, names)
        assert [float(value) for value in values.split(",")] == pytest.approx(found, abs=5e-5)


def test_its_commands_are_one_line_each_and_understood():
    commands = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert len(commands) == 2
    for command in commands:
        assert command.count("\n") == 1
    words = shlex.split(commands[0].split("&&")[-1])
    assert parse(words[words.index("minisam") + 1 :]).rho == 0.05


def test_ci_finds_the_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    find = re.search(r"command=\$\((.*)\)", script).group(1)
    found = subprocess.run(
        ["bash", "-c", find], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert found.startswith("python3 -m venv .venv && ")
    assert found.endswith("-m pytest -n auto\n")
    assert found in README


@pytest.mark.parametrize("name", re.findall(r"`ms\.([a-zA-Z_.]+\w)", README))
def test_the_names_it_mentions_exist(name):
    thing = ms
    for part in name.split("."):
        thing = getattr(thing, part)


def test_the_number_of_equations_it_states():
    found = ms.equations.EQUATIONS
    entries, misprints = re.search(r"(\d+) entries.*?(\d+) are misprints", README).groups()
    assert len(found) == int(entries)
    printed = [e for e in (found.values() if isinstance(found, dict) else found) if e.printed]
    assert len(printed) == int(misprints)
