"""Primitives made for a test."""

from collections.abc import Iterator

import pytest

from minisam.autodiff import PRIMITIVES


@pytest.fixture
def scratch_primitives() -> Iterator[None]:
    """Leave the registry as it was, whatever a test registers."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)
