"""Layers and losses: value and gradient against PyTorch where it is installed, gradcheck everywhere."""

import numpy as np
import pytest
import tapescope as ts
import tapescope.nn.functional as F
from tapescope import errors, nn
from tapescope.autograd import gradcheck, gradgradcheck

WITH_TORCH = "compares with PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"

X = np.array([[0.5, -1.25, 2.0, 0.1], [-0.75, 0.3, -2.5, 1.0], [0.0, 3.0, -0.2, 0.6]])
T = np.array([[0.1, -1.0, 2.6, 0.0], [-0.7, 1.3, 0.5, 1.2], [0.4, 2.0, -0.3, -0.6]])
P = 1 / (1 + np.exp(-X))
LABELS = np.array([2, 0, 3])
WEIGHT = np.array([1.0, 0.5, 2.0, 0.25])

LAYERS = {
    "ReLU": {}, "Tanh": {}, "Sigmoid": {}, "LogSigmoid": {}, "SiLU": {}, "GELU": {}, "Softmax": {"dim": 1},
    "LogSoftmax": {"dim": 0}, "LeakyReLU": {"negative_slope": 0.2}, "Softplus": {"beta": 2.0}, "Identity": {},
    "Flatten": {}, "Unflatten": {"dim": 1, "unflattened_size": (2, 2)},
}  # fmt: skip

LOSSES = [
    ("mse_loss", X, T, {}),
    ("mse_loss", X, T, {"reduction": "none"}),
    ("l1_loss", X, T, {"reduction": "sum"}),
    ("smooth_l1_loss", X, T, {"beta": 0.5}),
    ("smooth_l1_loss", X, T, {"beta": 0.0}),
    ("huber_loss", X, T, {"delta": 0.7}),
    ("binary_cross_entropy", P, (T > 0) * 1.0, {}),
    ("binary_cross_entropy", P, (T > 0) * 1.0, {"weight": WEIGHT, "reduction": "sum"}),
    ("binary_cross_entropy_with_logits", 50 * X, (T > 0) * 1.0, {}),
    ("binary_cross_entropy_with_logits", X, P, {"pos_weight": WEIGHT, "weight": WEIGHT, "reduction": "none"}),
    ("cross_entropy", X, LABELS, {}),
    ("cross_entropy", X, LABELS, {"reduction": "none", "ignore_index": 0}),
    ("cross_entropy", X, LABELS, {"weight": WEIGHT, "label_smoothing": 0.2}),
    ("cross_entropy", X, LABELS, {"weight": WEIGHT, "label_smoothing": 0.1, "ignore_index": 3, "reduction": "mean"}),
    ("cross_entropy", X, P / P.sum(1, keepdims=True), {"label_smoothing": 0.1}),
    ("nll_loss", X, LABELS, {"weight": WEIGHT, "ignore_index": 2, "reduction": "sum"}),
]


def value_and_gradient(function, tensor, x, *rest, **options):
    x = tensor(x)
    x.requires_grad_()
    rest = [tensor(r) for r in rest]
    options = {k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    out = function(x, *rest, **options)
    (out * out).sum().backward()
    return out.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("name", LAYERS)
def test_layers_equal_pytorch(name):
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    layer, twin = getattr(nn, name)(**LAYERS[name]), getattr(torch.nn, name)(**LAYERS[name])
    assert repr(layer) == repr(twin)
    for ours, theirs in zip(
        value_and_gradient(layer, ts.tensor, X), value_and_gradient(twin, torch.tensor, X), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "x", "target", "options"), LOSSES)
def test_losses_equal_pytorch(name, x, target, options):
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    ours = value_and_gradient(getattr(F, name), ts.tensor, x, target, **options)
    theirs = value_and_gradient(getattr(torch.nn.functional, name), torch.tensor, x, target, **options)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "x", "target", "options"), LOSSES)
def test_gradients_of_losses(name, x, target, options):
    options = {k: ts.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    target = ts.tensor(target)
    function = lambda t: getattr(F, name)(t, target, **options)  # noqa: E731
    logits = ts.tensor(x / 50 if np.abs(x).max() > 10 else x, requires_grad=True)
    assert gradcheck(function, (logits,)) and gradgradcheck(function, (logits,))


CLASSES = {
    "CrossEntropyLoss": ({"weight": WEIGHT, "label_smoothing": 0.1}, X, LABELS),
    "NLLLoss": ({"ignore_index": 0}, X, LABELS),
    "MSELoss": ({}, X, T),
    "L1Loss": ({"reduction": "sum"}, X, T),
    "SmoothL1Loss": ({"beta": 0.5}, X, T),
    "HuberLoss": ({"delta": 0.5}, X, T),
    "BCELoss": ({"weight": WEIGHT}, P, (T > 0) * 1.0),
    "BCEWithLogitsLoss": ({"pos_weight": WEIGHT}, X, (T > 0) * 1.0),
}


@pytest.mark.parametrize("name", CLASSES)
def test_loss_modules_equal_pytorch(name):
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    options, x, target = CLASSES[name]
    made = []
    for lib, tensor in ((nn, ts.tensor), (torch.nn, torch.tensor)):
        loss = getattr(lib, name)(**{k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()})
        made.append((repr(loss), list(loss.state_dict()), float(loss(tensor(x), tensor(target)))))
    assert made[0][:2] == made[1][:2] and made[0][2] == pytest.approx(made[1][2], rel=1e-9)


def test_binary_cross_entropy_at_its_ends():
    x = ts.tensor([0.0, 1.0, 0.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, ts.tensor([1.0, 0.0, 0.0]), reduction="none")
    assert loss.tolist() == pytest.approx([100.0, 100.0, 0.0])
    loss.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_linear_equals_pytorch():
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    layer, twin = nn.Linear(4, 3), torch.nn.Linear(4, 3)
    layer.load_state_dict({k: ts.tensor(v.numpy()) for k, v in twin.state_dict().items()})
    x = X.astype(np.float32)
    for a, b in zip(value_and_gradient(layer, ts.tensor, x), value_and_gradient(twin, torch.tensor, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    np.testing.assert_allclose(layer.weight.grad.numpy(), twin.weight.grad.numpy(), rtol=1e-5)
    np.testing.assert_allclose(layer.bias.grad.numpy(), twin.bias.grad.numpy(), rtol=1e-5)


INPLACE = [("relu", "ReLU", {}), ("leaky_relu", "LeakyReLU", {"negative_slope": 0.2}), ("silu", "SiLU", {})]


@pytest.mark.parametrize(("name", "layer", "options"), INPLACE)
def test_activations_in_place(name, layer, options):
    apart = value_and_gradient(getattr(F, name), ts.tensor, X, **options)
    for function in (
        lambda x: getattr(F, name)(x, inplace=True, **options),
        getattr(nn, layer)(inplace=True, **options),
    ):
        given = []

        def changed(x, function=function, given=given):
            given.append(x * 1)
            assert function(given[0]) is given[0]
            return given[0]

        for out, expected in zip(value_and_gradient(changed, ts.tensor, X), apart, strict=True):
            np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(given[0].detach().numpy(), apart[0])
    with pytest.raises(errors.InplaceError, match=f"{name}_: a leaf that requires grad"):
        getattr(F, name)(ts.ones(2, requires_grad=True), inplace=True)


@pytest.mark.parametrize(("name", "layer", "options"), INPLACE)
def test_activations_in_place_equal_pytorch(name, layer, options):
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    assert repr(getattr(nn, layer)(inplace=True, **options)) == repr(getattr(torch.nn, layer)(inplace=True, **options))
    results = []
    for tensor, library in ((ts.tensor, F), (torch.tensor, torch.nn.functional)):
        function = getattr(library, name)
        results.append(value_and_gradient(lambda x, f=function: f(x * 2, inplace=True, **options), tensor, X))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, _, _ in INPLACE])
def test_a_value_changed_by_an_activation_is_found_with_its_line(name):
    x = ts.ones(2, requires_grad=True).exp()
    loss = (x * x).sum()
    getattr(F, name)(x, inplace=True)
    assert x.grad_fn.code.co_name == "test_a_value_changed_by_an_activation_is_found_with_its_line"
    with pytest.raises(errors.InplaceError) as caught:
        loss.backward()
    changed = next(site for site in caught.value.sites if site[0] == "changed at")
    assert changed[1].co_name == "test_a_value_changed_by_an_activation_is_found_with_its_line"


@pytest.mark.parametrize("name", [name for name, _, _ in INPLACE])
def test_activations_lead_to_the_calling_line(name):
    node = getattr(F, name)(ts.ones(2, requires_grad=True)).grad_fn
    assert node.name == name and node.code.co_name == "test_activations_lead_to_the_calling_line"


def test_linear_with_a_computed_weight_in_place_of_the_parameter():
    layer = nn.Linear(2, 2, bias=False)
    del layer.weight
    layer.weight = ts.eye(2) * 3
    assert layer(ts.ones(1, 2)).tolist() == [[3.0, 3.0]]


def test_linear_of_wrong_width():
    with pytest.raises(errors.ShapeError, match=r"linear.*3 features.*weight wants 4"):
        nn.Linear(4, 2)(ts.ones(5, 3))


def test_dropout():
    ts.manual_seed(0)
    layer, x = nn.Dropout(0.25), ts.ones(4000)
    out = layer(x)
    assert set(np.unique(out.numpy())) == {0.0, np.float32(1 / 0.75)} and abs(out.mean().item() - 1) < 0.05
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(1.5)


def test_one_hot():
    assert F.one_hot(ts.tensor([[1], [0]]), 3).tolist() == [[[0, 1, 0]], [[1, 0, 0]]]
    with pytest.raises(ValueError, match="range from 0 to 4"):
        F.one_hot(ts.tensor([0, 4]), 3)
    with pytest.raises(errors.DtypeError, match="int64"):
        F.one_hot(ts.ones(2))


def test_bad_losses():
    with pytest.warns(UserWarning, match=r"target size \(\(3,\)\) that is different to the input size \(\(3, 1\)\)"):
        F.mse_loss(ts.ones(3, 1), ts.ones(3))
    with pytest.raises(ValueError, match="reduction"):
        F.mse_loss(ts.ones(3), ts.ones(3), reduction="avg")
    with pytest.raises(errors.TapescopeError, match="between 0 and 1.*with_logits"):
        F.binary_cross_entropy(ts.tensor([1.5]), ts.tensor([1.0]))
    with pytest.raises(errors.ShapeError, match=r"target size \(\(2,\)\)"):
        F.binary_cross_entropy_with_logits(ts.ones(2, 1), ts.ones(2))
    with pytest.raises(errors.DtypeError, match="floating-point"):
        F.binary_cross_entropy_with_logits(ts.ones(2), ts.tensor([0, 1]))
    with pytest.raises(IndexError, match="class 9"):
        nn.CrossEntropyLoss()(ts.ones(1, 3), ts.tensor([9]))


def test_composites_lead_to_the_calling_line():
    x = ts.ones(2, requires_grad=True)
    node = F.mse_loss(x, ts.zeros(2)).grad_fn
    while node.name != "sub":
        node = node.edges[0]
    assert node.tag.name == "mse_loss" and node.tag.code.co_name == "test_composites_lead_to_the_calling_line"
