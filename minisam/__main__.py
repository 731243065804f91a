"""``python -m minisam``: the same as the command ``minisam``."""

import sys

from minisam.cli import main

if __name__ == "__main__":
    sys.exit(main())
