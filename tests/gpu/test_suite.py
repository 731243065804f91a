"""The tests of everything that computes, once more on the fake device.

By hand: ``MINISAM_TEST_DEVICE=fake python -m pytest tests/ops``. Left out are
`tests/data`, which reads files; `tests/experiments`, `tests/plots` and `tests/book`, which compute
through what is tested here; `sharpness`, of which `test_sharpness.py` tests six measures on the
fake; and `sde` and `equations`, which are for the host.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = [
    ["tests/ops/test_primitives.py"],
    ["tests/ops", "--ignore=tests/ops/test_primitives.py"],
    ["tests/sam", "tests/test_optimizers.py"],
    ["tests/autodiff", "tests/nn", "tests/training"],
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[0])
def test_it_passes_on_the_fake(part):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *part],
        cwd=ROOT,
        env={**os.environ, "MINISAM_TEST_DEVICE": "fake"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
