"""A command of minisam that kills: `python killing.py PID ARGUMENT...`.

It kills the process, or with 0 all of its own group, when it is about to bring its second cell to
the disk: not at some moment that a clock decides.
"""

import os
import signal
import sys

from minisam.cli import main

real, calls = os.fsync, []


def deadly(descriptor):
    """Kill at the third call: the file's first line, and two cells."""
    calls.append(descriptor)
    if len(calls) == 3:
        os.kill(int(sys.argv[1]), signal.SIGKILL)
    real(descriptor)


if __name__ == "__main__":
    os.fsync = deadly
    sys.exit(main(sys.argv[2:]))
