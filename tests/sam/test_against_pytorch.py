"""Ten steps of SGD and of SAM beside PyTorch's autograd: the same weights to rounding."""

import numpy as np
import pytest

import minisam as ms

torch = pytest.importorskip("torch", reason="PyTorch is the reference; it is not a dependency")


@pytest.mark.parametrize("rho", [0.0, 0.2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_ten_steps(rho, momentum):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6)), rng.integers(3, size=40)
    model = ms.nn.mlp([6, 8, 3], activation=ms.nn.Tanh)
    w = model.init(0, "float64")

    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    net = net.double()
    with torch.no_grad():
        for theirs, ours in zip(net.parameters(), model.parameters(w).values(), strict=True):
            theirs.copy_(torch.from_numpy(ours.T))
    sgd = torch.optim.SGD(net.parameters(), lr=0.3, momentum=momentum)
    batches = [rng.choice(40, size=8, replace=False) for _ in range(10)]

    def backward(rows):
        sgd.zero_grad()
        logits = net(torch.from_numpy(x[rows]))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y[rows]))
        loss.backward()
        return loss.item()

    method = ms.sam.SAM(rho) if rho else ms.sam.ERM()
    optimizer = ms.optimizers.SGD(0.3, momentum=momentum)
    state = optimizer.init(w)
    for rows in batches:
        expected_loss = backward(rows)
        if rho:  # Algorithm 1, as its authors' code and its PyTorch copies write it
            with torch.no_grad():
                kept = [p.clone() for p in net.parameters()]
                length = torch.sqrt(sum((p.grad**2).sum() for p in net.parameters()))
                for p in net.parameters():
                    p += rho * p.grad / length
            backward(rows)
            with torch.no_grad():
                for p, old in zip(net.parameters(), kept, strict=True):
                    p.copy_(old)
        sgd.step()

        step = method.gradient(
            lambda w, rows=rows: ms.nn.cross_entropy(model(w, x[rows]), y[rows]), w, {}
        )
        assert float(step.loss) == pytest.approx(expected_loss, rel=1e-10)
        w, state = optimizer.step(w, step.g, state, 0.3)

    for theirs, ours in zip(net.parameters(), model.parameters(w).values(), strict=True):
        np.testing.assert_allclose(ours.T, theirs.detach().numpy(), rtol=0, atol=1e-10)
