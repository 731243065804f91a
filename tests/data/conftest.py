"""Where the real files are, for the tests that read them."""

import os

import pytest


@pytest.fixture
def real_root():
    root = os.environ.get("MINISAM_DATA")
    if not root:
        pytest.skip("MINISAM_DATA is not set to a folder with the real data sets")
    return root


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No place has any data: neither the environment nor the home folder."""
    monkeypatch.delenv("MINISAM_DATA", raising=False)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    return tmp_path
