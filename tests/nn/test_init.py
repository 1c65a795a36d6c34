"""Starting values: spread, bounds, gains, and determinism."""

import math

import numpy as np
import pytest
import tapescope as ts
from tapescope import nn
from tapescope.nn import init

WITH_TORCH = "compares with PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"


def test_gains_equal_pytorch():
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)
    with pytest.raises(ValueError, match="Unsupported nonlinearity swish"):
        init.calculate_gain("swish")


@pytest.mark.parametrize(
    ("fill", "spread"),
    [
        (init.xavier_uniform_, math.sqrt(2 / 500)),
        (init.xavier_normal_, math.sqrt(2 / 500)),
        (init.kaiming_uniform_, math.sqrt(2 / 200)),
        (lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / 300)),
        (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), math.sqrt(1 / 3 / 200)),
        (lambda t: init.normal_(t, 0.0, 0.3), 0.3),
        (lambda t: init.uniform_(t, -1, 1), math.sqrt(1 / 3)),
    ],
)
def test_spread(fill, spread):
    ts.manual_seed(1)
    weight = nn.Parameter(ts.empty(300, 200))
    assert fill(weight) is weight and weight.requires_grad and weight.is_leaf
    assert weight.std().item() == pytest.approx(spread, rel=0.02) and abs(weight.mean().item()) < 0.02 * spread + 0.005


def test_linear_starts_within_its_bound_and_repeats():
    ts.manual_seed(3)
    first = nn.Linear(25, 40)
    ts.manual_seed(3)
    second = nn.Linear(25, 40)
    assert np.array_equal(first.weight.detach().numpy(), second.weight.detach().numpy())
    for p in first.parameters():
        assert 0.15 < p.abs().max().item() <= 0.2


def test_constants_and_orthogonal():
    assert init.ones_(ts.empty(2)).tolist() == [1.0, 1.0] and init.zeros_(ts.ones(2)).tolist() == [0.0, 0.0]
    assert init.constant_(ts.empty(1), 0.3).item() == pytest.approx(0.3) and init.eye_(ts.empty(2, 3)).sum().item() == 2
    q = init.orthogonal_(ts.empty(5, 3, dtype=ts.float64)).numpy()
    np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-12)
    wide = init.orthogonal_(ts.empty(3, 5), gain=2.0).numpy()
    np.testing.assert_allclose(wide @ wide.T, 4 * np.eye(3), atol=1e-5)


def test_bad_arguments():
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(ts.empty(3))
    with pytest.raises(ValueError, match="fan_middle"):
        init.kaiming_normal_(ts.empty(3, 3), mode="fan_middle")
    with pytest.raises(ValueError, match="from=1 > to=0"):
        init.uniform_(ts.empty(3), 1, 0)
    with pytest.raises(ValueError, match=r"std >= 0.0, but found std -1"):
        init.normal_(ts.empty(3), 0, -1)


def test_generator():
    a, b = (init.normal_(ts.empty(4), generator=ts.Generator().manual_seed(5)) for _ in range(2))
    assert a.tolist() == b.tolist()
