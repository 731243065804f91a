"""One BLAS thread: tests are small, and threads that wait for each other cost more than they do."""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is imported, or it has no effect
