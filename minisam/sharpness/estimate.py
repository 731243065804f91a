"""A number that was estimated by sampling, with its error bar."""

from dataclasses import dataclass

import numpy as np

from minisam.arrays import Array


@dataclass(frozen=True)
class Estimate:
    """A mean of random samples; or, with nothing but a value, a number that is known exactly.

    Parameters
    ----------
    value : float
        The mean.
    error : float
        Its standard error: about 68 % of estimates are within one of what they estimate, 95 %
        within two.
    samples : int
        How many.

    Examples
    --------
    >>> print(Estimate.of([1.0, 2.0, 3.0, 6.0]))
    3.0 ± 1.1
    """

    value: float
    error: float = 0.0
    samples: int = 1

    @classmethod
    def of(cls, samples: Array) -> "Estimate":
        """Average independent samples.

        Parameters
        ----------
        samples : array_like, (n,)
            At least two, or there is no error bar.

        Returns
        -------
        Estimate
            Their mean, and its standard error from their spread.

        Raises
        ------
        ValueError
            There are fewer than two.
        """
        n = len(samples)
        if n < 2:
            raise ValueError(f"an error bar needs at least 2 samples, got {n}.")
        return cls(float(np.mean(samples)), float(np.std(samples, ddof=1) / np.sqrt(n)), n)

    def __str__(self) -> str:
        # The error to two digits, the value to as many decimals.
        if not 0 < self.error < np.inf:
            return f"{self.value:.6g} ± {self.error:g}"
        digits = 1 - int(np.floor(np.log10(self.error)))
        if -1 <= digits <= 8:
            return f"{self.value:.{max(digits, 0)}f} ± {self.error:.{max(digits, 0)}f}"
        return f"{self.value:.6g} ± {self.error:.2g}"
