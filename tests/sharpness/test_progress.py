"""Whatever takes long shows a line on a terminal, if asked, and nothing elsewhere."""

import sys

import numpy as np
import pytest

from minisam import sharpness

W = np.array([0.5, 0.2])


def loss(w):
    return 0.1 * np.sum(w**2)


def losses(w):
    return 0.1 * np.array([1.0, 2.0]) * np.sum(w**2) + np.array([0.01, 0.0]) * w[0]


LONG = {
    "Lanczos": lambda **show: sharpness.top_eigenvalues(loss, W, **show),
    "trace": lambda **show: sharpness.trace(loss, W, 6, **show),
    "spectral density": lambda **show: sharpness.spectral_density(loss, W, **show),
    "ball": lambda **show: sharpness.ball_maximum(loss, W, 0.1, **show),
    "average": lambda **show: sharpness.average_case(loss, W, 0.1, **show),
    "m-sharpness": lambda **show: sharpness.m_sharpness([losses, losses], W, 0.1, **show),
    "alignment": lambda **show: sharpness.alignment(losses, W, **show),
    "condition": lambda **show: sharpness.noise_rise(losses, W, 0.1, **show),
    "landscape": lambda **show: sharpness.landscape(loss, W, np.eye(2), [0, 1], **show),
}


@pytest.mark.parametrize("what", LONG)
def test_a_line_on_a_terminal_if_asked(what, capsys, monkeypatch):
    run = LONG[what]
    run(progress=True)
    assert capsys.readouterr() == ("", ""), "no terminal"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run()
    assert capsys.readouterr() == ("", ""), "not asked"
    run(progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{what}:" in err
