"""One step of each algorithm is that of the rest of minisam; limits are where they should be."""

import warnings

import numpy as np
import pytest

from minisam import sam, sde

METHODS = {
    sde.SGD: lambda rho: sam.ERM(),
    sde.USAM: sam.USAM,
    sde.DNSAM: sam.DNSAM,
    sde.SAM: sam.SAM,
}
ids = [algorithm.name for algorithm in METHODS]


@pytest.fixture(scope="module")
def net():
    return sde.deep_sigmoid("iris", hidden=3, examples=12)


@pytest.mark.parametrize("algorithm", METHODS, ids=ids)
def test_steps_are_those_of_the_methods(net, algorithm):
    """On mini-batches of a network, each path with its own batch."""
    eta, rho = 0.1, 0.3
    noise = sde.MiniBatches(sde.all_batches(12, 3))
    x = net.start + 0.3 * np.random.default_rng(0).standard_normal((3, net.d))
    gamma = noise.rows[[0, 40, 99]]
    found = sde.step(algorithm, noise.gradient(net, gamma), net.gradient, x, eta, rho)
    method = METHODS[algorithm](rho)
    everything = np.arange(12)
    for w, rows, after in zip(x, gamma, found, strict=True):
        taken = method.gradient(
            lambda w, rows=rows: net.losses(w[None], rows)[0],
            w,
            method.init(w),
            full=[lambda w: net.losses(w[None], everything)[0]],
        )
        np.testing.assert_allclose(after, w - eta * taken.g, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("algorithm", METHODS, ids=ids)
def test_where_there_is_no_gradient_there_is_no_step(algorithm):
    bowl = sde.quadratic(np.eye(2))
    x = np.zeros((1, 2))
    after = sde.step(algorithm, bowl.gradient, bowl.gradient, x, 0.1, 0.5)
    np.testing.assert_array_equal(after, x)


@pytest.mark.parametrize("algorithm", METHODS, ids=ids)
@pytest.mark.parametrize("batches", [False, True], ids=["Gaussian", "batches"])
def test_a_process_takes_the_algorithm_s_steps(net, algorithm, batches):
    """Bit for bit, and DNSAM with additive noise by two gradients, not three."""
    counted = []
    f = sde.Problem("counted", lambda x: counted.append(len(x)) or net.f(x), net.start, net.losses)
    noise = sde.MiniBatches(sde.one_epoch(12, 3)) if batches else sde.Gaussian.isotropic(0.1, net.d)
    rng = np.random.default_rng(1)
    x = net.start + 0.3 * rng.standard_normal((3, net.d))
    gamma = noise.rows[[0, 3, 1]] if batches else rng.standard_normal((3, net.d))
    problem = net if batches else f
    process = sde.discrete(algorithm, problem, noise, 0.1, 0.3)
    del counted[:]
    found = process(x, gamma, None)
    evaluations = len(counted)
    expected = sde.step(algorithm, noise.gradient(problem, gamma), net.gradient, x, 0.1, 0.3)
    np.testing.assert_array_equal(found, expected)
    if not batches:
        assert evaluations == (1 if algorithm is sde.SGD else 2)


def test_dnsam_divides_by_the_full_gradient():
    bowl = sde.quadratic(np.eye(2))
    noise = sde.Gaussian(np.eye(2))
    x, z = np.array([[3.0, 4.0]]), np.array([[-3.0, 6.0]])
    found = sde.step(sde.DNSAM, noise.gradient(bowl, z), bowl.gradient, x, 1.0, 0.5)
    climbed = x + 0.5 * (x + z) / 5
    np.testing.assert_allclose(found, x - (climbed + z), atol=1e-14)


@pytest.mark.parametrize(("algorithm", "rho"), [(sde.SGD, 0.0), (sde.USAM, 0.5)])
def test_stability_limit_is_sharp(algorithm, rho):
    """Just below it shrinks, just above it grows."""
    hill = sde.quadratic(np.diag([1.0, 4.0]))
    limit = sde.stability_limit(algorithm, 4.0, rho)
    for factor, stable in ((0.999, True), (1.001, False)):
        x = np.array([[0.0, 1.0]])
        for _ in range(50):
            x = sde.step(algorithm, hill.gradient, hill.gradient, x, factor * limit, rho)
        assert bool(np.abs(x[0, 1]) < 1) is stable


def test_steps_above_the_limit_are_warned_of_with_the_limit():
    bowl, noise = sde.quadratic(np.diag([1.0, 4.0])), sde.Gaussian(np.eye(2))
    with pytest.warns(
        RuntimeWarning, match=r"eta = 0.6 is not below 0.5, .* of SAM on quadratic.* 4"
    ):
        sde.discrete(sde.SAM, bowl, noise, 0.6, 0.1)
    with pytest.warns(RuntimeWarning, match=r"not below 0.25, the limit of stability of USAM"):
        sde.discrete(sde.USAM, bowl, noise, 0.3, 0.25)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sde.discrete(sde.SAM, bowl, noise, 0.3, 0.25)
        sde.discrete(sde.SGD, sde.quadratic([[-5.0]]), sde.Gaussian([[1.0]]), 9.0)


@pytest.mark.parametrize("bad", [0.0, -0.1, np.inf, np.nan])
def test_bad_steps_and_radii_are_refused(bad):
    bowl, noise = sde.cosh(), sde.Gaussian([[1.0]])
    with pytest.raises(ValueError, match="eta must be positive and finite"):
        sde.discrete(sde.SGD, bowl, noise, bad)
    with pytest.raises(ValueError, match="eta must be positive and finite"):
        sde.euler_maruyama(sde.additive(sde.SGD, bowl, noise), bad)
    with pytest.raises(ValueError, match=r"rho must be positive and finite, .* USAM is SGD"):
        sde.discrete(sde.USAM, bowl, noise, 0.1, bad)
