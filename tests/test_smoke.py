"""A minute's look: the package trains, differentiates, saves and sees. Run it first: ``pytest tests/test_smoke.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tapescope as ts

F = ts.nn.functional


def test_a_small_network_learns(tmp_path: Path) -> None:
    ts.manual_seed(0)
    train, test = ts.datasets.digits(train=True), ts.datasets.digits(train=False)
    net = ts.nn.Sequential(ts.nn.Flatten(), ts.nn.Linear(64, 64), ts.nn.ReLU(), ts.nn.Linear(64, 10))
    optimizer = ts.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(8):
        for x, y in ts.utils.data.DataLoader(train, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
    with ts.no_grad():
        right = sum(int((net(x).argmax(1) == y).sum()) for x, y in ts.utils.data.DataLoader(test, batch_size=100))
    assert right / len(test) > 0.93

    ts.save(net.state_dict(), tmp_path / "net.safetensors")
    twin = ts.nn.Sequential(ts.nn.Flatten(), ts.nn.Linear(64, 64), ts.nn.ReLU(), ts.nn.Linear(64, 10))
    twin.load_state_dict(ts.load(tmp_path / "net.safetensors"))
    x, _ = test[0]
    np.testing.assert_array_equal(net(x[None]).detach().numpy(), twin(x[None]).detach().numpy())


def test_the_instruments_speak() -> None:
    x = ts.ones(2, 3, requires_grad=True)
    loss = (x * 2).exp().sum()
    tape = str(ts.tape(loss))
    assert all(word in tape for word in ("mul", "exp", "sum", "test_smoke.py"))
    loss.backward()
    assert "parameters" in str(ts.memory())


def test_first_and_second_derivatives() -> None:
    x = ts.tensor([0.3, -1.2], dtype=ts.float64, requires_grad=True)
    assert ts.autograd.gradcheck(lambda x: x.tanh().sum(), x)
    assert ts.autograd.gradgradcheck(lambda x: x.tanh().sum(), x)
