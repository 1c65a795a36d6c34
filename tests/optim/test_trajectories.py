"""Twenty steps of every optimizer: PyTorch's values where it is installed, recorded ones everywhere."""

import numpy as np
import pytest
import tapescope as ts
from tapescope import config, optim

WITH_NUMBA = "compares the compiled kernels with NumPy: pip install numba"
WITH_TORCH = "compares with PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"

START = np.array([[1.0, -2.0, 0.5], [0.1, 3.0, -0.7]])
CASES = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd_decay": ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    "momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "dampening": ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    "nesterov": ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    "sgd_up": ("SGD", {"lr": 0.05, "momentum": 0.5, "maximize": True}),
    "adam": ("Adam", {"lr": 0.1}),
    "adam_l2": ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    "amsgrad": ("Adam", {"lr": 0.2, "amsgrad": True}),
    "adam_up": ("Adam", {"lr": 0.1, "maximize": True}),
    "adamw": ("AdamW", {"lr": 0.1}),
    "adamw_amsgrad": ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
}  # fmt: skip


def trajectory(lib, tensor, optimizer, options, dtype, steps=20):
    """The parameter after each step down a bumpy bowl; gradients are set by hand, so that only the rule is compared."""
    w = tensor(START.astype(dtype))
    w.requires_grad_()
    idle = tensor(np.ones(2, dtype))
    idle.requires_grad_()
    rule = getattr(lib, optimizer)([w, idle], **options)
    path = []
    for _ in range(steps):
        values = w.detach().numpy()
        w.grad = tensor((2 * values + np.sin(5 * values)).astype(dtype))
        rule.step()
        path.append(w.detach().numpy().copy())
    assert idle.tolist() == [1.0, 1.0]
    return np.array(path)


def ours(case, dtype="float64"):
    return trajectory(optim, ts.tensor, *CASES[case], dtype)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equal_to_pytorch(case, dtype):
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    theirs = trajectory(torch.optim, torch.tensor, *CASES[case], dtype)
    tolerance = {"rtol": 2e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-13}
    np.testing.assert_allclose(ours(case, dtype), theirs, **tolerance)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_and_compiled_paths_agree_to_the_bit(case, dtype, monkeypatch):
    pytest.importorskip("numba", reason=WITH_NUMBA)
    compiled = ours(case, dtype)
    monkeypatch.setattr(config, "jit", "off")
    assert np.array_equal(compiled, ours(case, dtype))


@pytest.mark.parametrize("case", CASES)
def test_recorded_values(case):
    np.testing.assert_allclose(ours(case)[-1], RECORDED[case], rtol=1e-12)


# The parameter after 20 steps, from PyTorch 2.13 in float64.
RECORDED = {
    "sgd": [
        [3.720819341381051e-08, -1.3522289311667604e-06, 8.280819579740667e-11],
        [3.75515656027433e-12, 1.2369233184005165e-05, -6.625782765114299e-10],
    ],
    "sgd_decay": [
        [2.2559543847666595e-08, -7.761611287561243e-07, 5.944811609627355e-11],
        [2.685686084717345e-12, 6.810930145171366e-06, -4.6443704346997645e-10],
    ],
    "momentum": [
        [-0.16756060266856945, -0.5749257833479561, 0.010201322167608903],
        [0.03534306201765012, 1.121470980390587, 0.18037785366289144],
    ],
    "dampening": [
        [0.1943372916009262, -0.21598516314954605, -0.15823091359827846],
        [-0.01664633422387657, 0.7806616155898701, 0.08602540055100126],
    ],
    "nesterov": [
        [-0.002889160571969732, 0.003047050353116708, 0.0009486073528344061],
        [0.00015248188240239545, -0.011710273475958616, -0.0008600001624898281],
    ],
    "sgd_up": [
        [19.920697193597388, -41.60865727883663, 9.510930809562606],
        [5.431580552079064, 65.92003476662651, -11.083449317743366],
    ],
    "adam": [
        [-0.1042846172561104, -0.2886252791870202, 0.10331024850727161],
        [0.02600180269887894, 1.1556416064673831, -0.04943805814079827],
    ],
    "adam_l2": [
        [0.05052045504665549, -0.3115399073159088, -0.005152283180229953],
        [0.004382602974434648, 1.1332392343689652, -0.05709392080840319],
    ],
    "amsgrad": [
        [0.08327717442967625, 0.3545248919833946, -0.1032847146956698],
        [-0.012893120783865248, -0.237629238130377, 0.06023597640479781],
    ],
    "adam_up": [
        [3.0544504007896767, -4.071940445291487, 2.5312105293926614],
        [2.1181475758772708, 5.048776549145608, -2.752289796181124],
    ],
    "adamw": [
        [-0.09996965572307565, -0.26943691671503134, 0.10284544069444347],
        [0.025644918961551917, 1.116794019206763, -0.05114811833676],
    ],
    "adamw_amsgrad": [
        [-0.0015286686433120464, 0.11050427563192905, 0.08238875125438425],
        [0.0158265877489688, 0.37992284959593253, -0.07752581425200769],
    ],
}
