"""That freed memory is kept, seen from outside: by the page faults of another process."""

import os
import subprocess
import sys
from platform import libc_ver

import pytest

STEPS = """
import resource
import minisam
import numpy as np

def step():
    return [np.ones(2**18) for _ in range(40)]  # 80 MiB, all freed together

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

step()
before = faults()
for _ in range(5):
    step()
print((faults() - before) // 5)
"""


def faults_per_step(**environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", STEPS]
    return int(subprocess.check_output(command, env={**clean, **environment}))


@pytest.mark.skipif(libc_ver()[0] != "glibc", reason="an option of the GNU C library")
def test_no_page_faults_once_warm_unless_the_user_has_other_wishes():
    assert faults_per_step() < 100
    assert faults_per_step(MALLOC_TRIM_THRESHOLD_="131072") > 5_000
    assert faults_per_step(GLIBC_TUNABLES="glibc.malloc.trim_threshold=131072") > 5_000
