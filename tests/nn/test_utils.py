"""Clipping gradients, and parameters as one vector."""

import numpy as np
import pytest
import tapescope as ts
from tapescope import errors, nn
from tapescope.nn import utils

WITH_TORCH = "compares with PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"


def with_gradients(lib=nn, tensor=ts.tensor, scale=1.0):
    parameters = [lib.Parameter(tensor(v)) for v in ([1.0, 2.0], [[3.0]], [4.0])]
    for p, g in zip(parameters[:2], ([3.0, -4.0], [[12.0]]), strict=True):
        p.grad = tensor(g) * scale
    return parameters


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("limit", [1.0, 100.0])
def test_clip_grad_norm_equals_pytorch(norm_type, limit):
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    ours, theirs = with_gradients(), with_gradients(torch.nn, torch.tensor)
    total = utils.clip_grad_norm_(ours, limit, norm_type)
    assert total.item() == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, limit, norm_type).item(), rel=1e-6)
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-6)
    assert ours[2].grad is None


def test_clip_grad_norm_of_what_is_not_finite():
    parameters = with_gradients(scale=float("inf"))
    with pytest.raises(errors.GradError, match="non-finite"):
        utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert utils.clip_grad_norm_(parameters, 1.0).item() == float("inf")


def test_clip_grad_value():
    parameters = with_gradients()
    utils.clip_grad_value_(parameters, 3.5)
    assert parameters[0].grad.tolist() == [3.0, -3.5] and parameters[1].grad.tolist() == [[3.5]]


def test_no_gradients_at_all():
    assert utils.clip_grad_norm_([nn.Parameter(ts.ones(2))], 1.0).item() == 0.0


def test_parameters_to_vector_and_back():
    parameters = with_gradients()
    vector = utils.parameters_to_vector(parameters)
    assert vector.tolist() == [1.0, 2.0, 3.0, 4.0] and vector.requires_grad
    utils.vector_to_parameters(ts.tensor([5.0, 6.0, 7.0, 8.0]), parameters)
    assert [p.tolist() for p in parameters] == [[5.0, 6.0], [[7.0]], [8.0]]
    with pytest.raises(errors.ShapeError, match=r"\(3,\), the parameters need \(4,\)"):
        utils.vector_to_parameters(ts.ones(3), parameters)
