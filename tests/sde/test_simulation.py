"""The simulation: the same numbers however it is cut up, right moments, clear errors."""

import tracemalloc

import numpy as np
import pytest

from minisam import sde
from minisam.sde.algorithms import ALGORITHMS, SAM, SGD, USAM

H = np.array([[2.0, 0.8], [0.8, 0.5]])
C = np.array([[0.5, -0.2], [-0.2, 0.3]])


def entries(d):
    return {f"x{i}": lambda x, i=i: x[:, i] for i in range(d)} | {
        f"x{i}x{j}": lambda x, i=i, j=j: x[:, i] * x[:, j] for i in range(d) for j in range(i + 1)
    }


def setting():
    problem, noise = sde.quadratic(H, [1.0, -1.0]), sde.Gaussian(C)
    processes = {
        "SAM": sde.discrete(SAM, problem, noise, 0.1, 0.3),
        "SDE": sde.euler_maruyama(sde.additive(SAM, problem, noise, 0.3), 0.1),
    }
    return problem, noise, processes


def test_results_do_not_depend_on_chunks_and_threads():
    problem, noise, processes = setting()
    runs = [
        sde.simulate(
            problem, noise, processes, steps=5, paths=2600, substeps=2, chunk=chunk, threads=threads
        )
        for chunk, threads in ((None, None), (512, 1), (1024, 2), (10**6, 1))
    ]
    for other in runs[1:]:
        np.testing.assert_allclose(other.means, runs[0].means, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(other.covariances, runs[0].covariances, rtol=1e-10, atol=1e-14)


def test_the_first_paths_are_those_of_a_shorter_run():
    problem, noise, processes = setting()

    def seen(paths):
        rows = []
        look = {"x": lambda x: rows.append(x.copy()) or x[:, 0]}
        sde.simulate(problem, noise, processes, steps=3, paths=paths, observe=look, chunk=10**6)
        return np.array(rows)

    np.testing.assert_array_equal(seen(700)[:, :3], seen(3))


def test_seeds_differ_and_repeat():
    problem, noise, processes = setting()
    a, b, again = (
        sde.simulate(problem, noise, processes, steps=2, paths=100, seed=seed).means
        for seed in (0, 1, 0)
    )
    np.testing.assert_array_equal(a, again)
    assert not np.isclose(a[1:], b[1:]).any()


@pytest.mark.parametrize("algorithm", [SGD, USAM], ids=["SGD", "USAM"])
def test_simulated_moments_are_the_exact_ones(algorithm):
    """Mean and covariance after 10 steps within 4 standard errors, 100,000 paths, seed 0.

    Both for the algorithm and for Euler-Maruyama, whose steps are SGD-like with h for η.
    """
    eta, rho, r = 0.1, 0.3 * (algorithm is USAM), 3
    problem, noise = sde.quadratic(H, [1.0, -1.0]), sde.Gaussian(C)
    runs = sde.simulate(
        problem,
        noise,
        {
            "discrete": sde.discrete(algorithm, problem, noise, eta, rho),
            "SDE": sde.euler_maruyama(sde.additive(algorithm, problem, noise, rho), eta),
        },
        steps=10,
        paths=100_000,
        substeps=r,
        observe=entries(2),
        every=10,
    )
    # Euler-Maruyama: X ← (I - hB)X + √(ηh) S ξ, that is steps of size h with noise C·η/h.
    finer = sde.Gaussian(r * C)
    exact = {
        "discrete": sde.discrete_moments(H, noise, problem.start, eta=eta, rho=rho, steps=10),
        "SDE": sde.discrete_moments(H, finer, problem.start, eta=eta / r, rho=rho, steps=10 * r),
    }
    for name, (means, covariances) in exact.items():
        m, second = means[-1], covariances[-1] + np.outer(means[-1], means[-1])
        expected = {f"x{i}": m[i] for i in range(2)}
        expected |= {f"x{i}x{j}": second[i, j] for i in range(2) for j in range(i + 1)}
        for look, value in expected.items():
            error = runs.standard_error(name, look)[-1]
            assert abs(runs.mean(name, look)[-1] - value) < 4 * error, (name, look)


def test_euler_maruyama_is_of_weak_order_one():
    """Its moments, exact by the test above, tend to the SDE's as 1/r."""
    eta, rho, noise = 0.25, 0.2, sde.Gaussian(C)
    exact = sde.sde_moments(H, noise, [2.0, 1.0], eta=eta, rho=rho, steps=4)
    gaps = []
    for r in (32, 64):
        finer = sde.discrete_moments(
            H, sde.Gaussian(r * C), [2.0, 1.0], eta=eta / r, rho=rho, steps=4 * r
        )
        gaps.append([np.linalg.norm(a[-1] - b[-1]) for a, b in zip(finer, exact, strict=True)])
    np.testing.assert_allclose(np.divide(*gaps), 2, atol=0.1)


def test_means_and_covariances_are_those_of_the_paths():
    """Merged over chunks, against all values at once; large means do not swallow the variance."""
    problem, noise = sde.quadratic([[1.0]], [1e6]), sde.Gaussian([[1.0]])
    processes = {
        a.name: sde.discrete(a, problem, noise, 0.1, 0.1) for a in (SGD, USAM)
    }  # USAM's noise is 1.1 times SGD's
    rows = []
    runs = sde.simulate(
        problem,
        noise,
        processes,
        steps=1,
        paths=5000,
        observe={"x": lambda x: rows.append(x[:, 0].copy()) or x[:, 0]},
        chunk=1024,
        threads=1,
    )
    final = np.array(
        [np.concatenate(rows[2 + i :: 4]) for i in range(2)]
    )  # a chunk looks at the start and the end of both
    np.testing.assert_allclose(runs.means[1, 0], final.mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(runs.covariances[1, 0], np.cov(final, ddof=0), rtol=1e-9)
    assert runs.std("SGD", "x")[1] == pytest.approx(0.1, rel=0.05)
    gap, error = runs.difference("SGD", "USAM", "x")
    assert gap[1] == pytest.approx(final[0].mean() - final[1].mean())
    assert error[1] == pytest.approx((final[0] - final[1]).std(ddof=1) / np.sqrt(5000))
    assert runs.standard_error("SGD", "x")[0] == 0


def test_one_path_says_nothing_of_the_others():
    problem, noise, processes = setting()
    runs = sde.simulate(problem, noise, processes, steps=2, paths=1)
    gap, error = runs.difference("SAM", "SDE", "f")
    np.testing.assert_array_equal(gap, runs.mean("SAM", "f") - runs.mean("SDE", "f"))
    assert np.isnan(error).all()
    assert np.isnan(runs.standard_error("SAM", "f")).all()


def test_an_algorithm_and_its_sde_share_their_noise():
    """Their difference varies far less than either: the signs of both noises agree."""
    problem, noise, processes = setting()
    runs = sde.simulate(problem, noise, processes, steps=20, paths=2000, substeps=4)
    _, error = runs.difference("SAM", "SDE", "f")
    assert (error[5:] < 0.4 * runs.standard_error("SAM", "f")[5:]).all()


def test_batches_are_drawn_independently_for_each_path():
    """The variance after one step is that of a single batch, over 6 batches; 4 standard errors."""
    problem = sde.logistic("iris", examples=4)
    noise = sde.MiniBatches(sde.all_batches(4, 2))
    runs = sde.simulate(
        problem,
        noise,
        {"SGD": sde.discrete(SGD, problem, noise, 0.5)},
        steps=1,
        paths=20_000,
        observe={"x0": lambda x: x[:, 0]},
    )
    variance = sde.step_moments(SGD, problem, noise, 0.0, problem.start[None]).covariance[0, 0, 0]
    # Six equally likely values have a kurtosis below 3, so this standard error is an upper bound.
    assert abs(4 * runs.std("SGD", "x0")[1] ** 2 / variance - 1) < 4 * np.sqrt(2 / 20_000)


def test_recorded_steps_and_ticks():
    problem, noise, processes = setting()
    ticks = []
    runs = sde.simulate(
        problem, noise, processes, steps=7, paths=1300, every=3, chunk=512, tick=ticks.append
    )
    assert runs.steps.tolist() == [0, 3, 6, 7]
    assert ticks == [512, 512, 276]
    assert (runs.paths, runs.processes) == (1300, ("SAM", "SDE"))
    assert runs.means.shape == (4, 3, 2)
    np.testing.assert_allclose(runs.mean("SAM", "‖x‖")[0], np.sqrt(2))


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_without_noise_all_paths_are_one(algorithm):
    problem, noise = sde.wavy(), sde.Gaussian([[0.0]])
    runs = sde.simulate(
        problem,
        noise,
        {
            "discrete": sde.discrete(algorithm, problem, noise, 0.1, 0.1),
            "ODE": sde.euler_maruyama(sde.additive(algorithm, problem, noise, 0.1), 0.1),
        },
        steps=10,
        paths=3,
        observe={"x": lambda x: x[:, 0]},
    )
    np.testing.assert_allclose(runs.covariances, 0, atol=1e-30)
    x = problem.start[None]
    for k in range(10):
        assert runs.mean("discrete", "x")[k] == pytest.approx(x[0, 0], abs=1e-14)
        x = sde.step(algorithm, problem.gradient, problem.gradient, x, 0.1, 0.1)


def test_memory_is_bounded_by_the_chunk():
    problem, noise = sde.quadratic([[1.0]]), sde.Gaussian([[1.0]])
    processes = {"SAM": sde.discrete(SAM, problem, noise, 0.1, 0.1)}
    peaks = []
    for paths in (20_000, 400_000):
        tracemalloc.start()
        sde.simulate(
            problem, noise, processes, steps=3, paths=paths, every=3, chunk=8192, threads=1
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The allocator's 16 MB that are freed at once are counted, too; 400,000 floats are 3.2 MB.
    assert peaks[1] < peaks[0] + 200_000


def test_stopped_paths_stay():
    problem, noise = sde.quadratic([[-1.0]], [0.5]), sde.Gaussian([[0.1]])
    move = sde.discrete(SGD, problem, noise, 0.1)
    runs = sde.simulate(
        problem,
        noise,
        {"free": move, "stopped": sde.stopped(move, lambda x: np.abs(x[:, 0]) < 1)},
        steps=40,
        paths=500,
        observe={"inside": lambda x: 1.0 * (np.abs(x[:, 0]) < 1), "|x|": lambda x: np.abs(x[:, 0])},
    )
    left = runs.mean("stopped", "inside")
    assert left[0] == 1
    assert (np.diff(left) <= 0).all()
    assert left[-1] < 0.05
    assert runs.mean("stopped", "|x|")[-1] < 1.3
    assert runs.mean("free", "|x|")[-1] > 5


def test_bad_simulations_are_refused():
    problem, noise, processes = setting()
    for name in ("steps", "paths", "substeps", "every"):
        numbers = {"steps": 1, "paths": 1, name: 0}
        with pytest.raises(ValueError, match=f"simulate: {name} must be at least 1, got 0"):
            sde.simulate(problem, noise, processes, **numbers)
    with pytest.raises(ValueError, match="at least one process"):
        sde.simulate(problem, noise, {}, steps=1, paths=1)
    with pytest.raises(ValueError, match="1×1, but quadratic has 2"):
        sde.simulate(problem, sde.Gaussian([[1.0]]), processes, steps=1, paths=1)


def test_divergence_is_named():
    problem, noise = sde.two_wells(3.0), sde.Gaussian([[1.0]])
    processes = {
        "ODE": sde.euler_maruyama(sde.additive(SGD, problem, noise), 0.01),
        "SDE": sde.euler_maruyama(sde.additive(SAM, problem, noise, 0.1), 1.0),
    }
    with pytest.raises(FloatingPointError, match=r"SDE on two wells: paths .* by step \d+\. Lower"):
        sde.simulate(problem, noise, processes, steps=30, paths=10, substeps=1)
