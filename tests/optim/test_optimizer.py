"""The optimizer base: groups, state dicts, hooks, closures, errors; and what a step tells the tape."""

import numpy as np
import pytest
import tapescope as ts
from tapescope import errors, nn, optim

WITH_TORCH = "compares with PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"


def parameters(n=2):
    return [nn.Parameter(ts.full((2,), float(i + 1))) for i in range(n)]


def give_gradients(params, value=1.0):
    for p in params:
        p.grad = ts.full((2,), value)


def test_groups_with_settings_of_their_own():
    a, b = parameters()
    rule = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    give_gradients([a, b])
    rule.step()
    assert a.tolist() == pytest.approx([0.9, 0.9]) and b.tolist() == [1.5, 1.5]
    rule.add_param_group({"params": parameters(1), "lr": 2.0})
    assert [g["lr"] for g in rule.param_groups] == [0.1, 0.5, 2.0]
    rule.param_groups[0]["lr"] = 0.0
    rule.step()
    assert a.tolist() == pytest.approx([0.9, 0.9])


def test_named_parameters():
    net = nn.Linear(2, 1)
    rule = optim.Adam(net.named_parameters())
    assert rule.param_groups[0]["param_names"] == ["weight", "bias"]
    assert rule.param_groups[0]["params"][0] is net.weight


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ([], ValueError, "empty parameter list"),
        (iter([]), ValueError, "empty parameter list"),
        (ts.ones(2), TypeError, "iterable of Tensors or dicts, but got Tensor"),
        (nn.Linear(1, 1), TypeError, r"got Linear: pass its .parameters\(\)"),
        ([1.0], TypeError, "can only optimize Tensors, but one of the params is float"),
        ([nn.Parameter(ts.ones(3)) * 2], ValueError, r"can't optimize a non-leaf Tensor: parameter 0, of shape \(3,\)"),
        ([{"lr": 1}], ValueError, "must have the key 'params'"),
        ([{"params": {1, 2}}], TypeError, "ordered"),
    ],
)
def test_bad_parameters(params, error, match):
    with pytest.raises(error, match=match):
        optim.SGD(params, lr=0.1)


def test_duplicates():
    a, b = parameters()
    with pytest.raises(ValueError, match="duplicate parameters"):
        optim.SGD([a, b, a])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [a]}, {"params": [b, a]}])


@pytest.mark.parametrize(
    ("rule", "options", "match"),
    [
        ("SGD", {"lr": -1}, "Invalid learning rate: -1"),
        ("SGD", {"lr": float("nan")}, "Invalid learning rate: nan"),
        ("SGD", {"momentum": -0.1}, "Invalid momentum value: -0.1"),
        ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        ("Adam", {"betas": (0.9, 1.0)}, "Invalid beta parameter at index 1: 1.0"),
        ("Adam", {"eps": -1.0}, "Invalid epsilon value: -1.0"),
        ("AdamW", {"weight_decay": -1.0}, "Invalid weight_decay value: -1.0"),
    ],
)
def test_bad_settings(rule, options, match):
    with pytest.raises(ValueError, match=match):
        getattr(optim, rule)(parameters(), **options)


@pytest.mark.parametrize("make", [
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
    lambda p: optim.AdamW(p, lr=0.1),
])  # fmt: skip
def test_state_dict_goes_on_as_if_nothing_happened(make):
    first, second = parameters(), parameters()
    whole, half = make(first), make(second)
    for step in range(6):
        if step == 3:
            saved = half.state_dict()
            half = make(second)
            half.load_state_dict(saved)
            saved["state"][0].clear()  # what was loaded is a copy
        for params, rule in ((first, whole), (second, half)):
            give_gradients(params, step - 2.5)
            rule.step()
    assert [p.tolist() for p in first] == [p.tolist() for p in second]


def test_state_dict_keys_equal_pytorch():
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    for name, options in (("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("AdamW", {})):
        states = []
        for lib, tensor in ((optim, ts.tensor), (torch.optim, torch.tensor)):
            p = tensor([1.0])
            p.requires_grad_()
            p.grad = tensor([1.0])
            rule = getattr(lib, name)([p], **options)
            rule.step()
            states.append(rule.state_dict())
        assert list(states[0]["state"][0]) == list(states[1]["state"][0]), name
        assert set(states[0]["param_groups"][0]) <= set(states[1]["param_groups"][0]), name


def test_state_dicts_that_do_not_fit():
    rule = optim.Adam(parameters())
    for other, match in (
        (optim.Adam([{"params": [p]} for p in parameters()]), "different number of parameter groups: 2"),
        (optim.Adam(parameters(3)), "doesn't match the size of optimizer's group: group 0 has 3"),
    ):
        with pytest.raises(ValueError, match=match):
            rule.load_state_dict(other.state_dict())
    params = [nn.Parameter(ts.ones(3)), nn.Parameter(ts.ones(2))]
    other = optim.Adam(params)
    for p in params:
        p.grad = p.detach()
    other.step()
    with pytest.raises(
        errors.CheckpointError, match=r"'exp_avg' of parameter 0 has shape \(3,\), the parameter has \(2,\)"
    ):
        rule.load_state_dict(other.state_dict())
    with pytest.raises(errors.CheckpointError, match="keys 'state' and 'param_groups'"):
        rule.load_state_dict({"a": 1})
    assert not rule.state


def test_closure_runs_with_gradients_on():
    p = nn.Parameter(ts.tensor([2.0]))
    rule = optim.SGD([p], lr=0.5)

    def closure():
        rule.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with ts.no_grad():
        assert rule.step(closure).item() == 4.0
    assert p.item() == 0.0


def test_hooks():
    p, log = parameters(1)[0], []
    rule = optim.SGD([p], lr=0.1)
    handles = [
        optim.register_optimizer_step_pre_hook(lambda o, args, kwargs: log.append(("global pre", o is rule))),
        optim.register_optimizer_step_post_hook(lambda o, args, kwargs: log.append("global post")),
        rule.register_step_pre_hook(lambda o, args, kwargs: log.append("pre")),
        rule.register_step_post_hook(lambda o, args, kwargs: log.append("post")),
    ]
    rule.step()
    assert log == [("global pre", True), "pre", "post", "global post"]
    for handle in handles:
        handle.remove()
    rule.step()
    assert len(log) == 4


def test_a_users_own_optimizer_gets_the_hooks_once():
    class Twice(optim.SGD):
        def step(self, closure=None):
            super().step()
            return super().step()

    p, log = parameters(1)[0], []
    give_gradients([p])
    rule = Twice([p], lr=0.25)
    rule.register_step_post_hook(lambda o, args, kwargs: log.append(1))
    rule.step()
    assert p.tolist() == [0.5, 0.5] and log == [1]


def test_zero_grad():
    params = parameters()
    give_gradients(params)
    rule = optim.SGD(params)
    rule.zero_grad(set_to_none=False)
    assert params[0].grad.tolist() == [0.0, 0.0]
    rule.zero_grad()
    assert params[0].grad is None


def test_none_and_nonfinite_gradients():
    a, b = parameters()
    rule = optim.Adam([a, b], lr=0.1)
    a.grad = ts.tensor([float("nan"), float("inf")])
    rule.step()
    assert all(np.isnan(a.tolist())) and b.tolist() == [2.0, 2.0] and b not in rule.state


@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam])
def test_parameters_of_other_layouts_and_dtypes(rule):
    base = np.arange(6, dtype=np.float32).reshape(2, 3)
    plain, turned = nn.Parameter(ts.tensor(base)), nn.Parameter(ts.tensor(base.T.copy()).T)
    scalar, half = nn.Parameter(ts.tensor(1.0)), nn.Parameter(ts.ones(2, dtype=ts.bfloat16))
    tuned = rule([plain, turned, scalar, half], lr=0.25)
    for p in tuned.param_groups[0]["params"]:
        p.grad = p.detach().clone()
    turned.grad = ts.tensor(np.asfortranarray(base))
    tuned.step()
    assert np.array_equal(plain.detach().numpy(), turned.detach().numpy())
    assert scalar.item() == pytest.approx(0.75) and half.dtype is ts.bfloat16 and half.tolist() == [0.75, 0.75]


def test_a_step_between_forward_and_backward_is_found_with_its_line():
    net = nn.Linear(2, 2)
    rule = optim.SGD(net.parameters(), lr=0.1)
    x = ts.ones(1, 2, requires_grad=True)
    net(x).sum().backward()
    loss = net(x).sum()
    rule.step()
    with pytest.raises(errors.InplaceError) as caught:
        loss.backward()
    changed = next(site for site in caught.value.sites if site[0] == "changed at")
    assert (
        errors.users_site(*changed[1:])[0].co_name == "test_a_step_between_forward_and_backward_is_found_with_its_line"
    )


def test_repr():
    assert repr(optim.SGD(parameters(), lr=0.1)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    lr: 0.1\n    maximize: False\n    momentum: 0\n"
        "    nesterov: False\n    weight_decay: 0\n)"
    )


def test_site_is_the_users_line():
    class Mine(optim.SGD):
        def __init__(self, params):
            super().__init__(params)

    for rule in (optim.SGD(parameters()), Mine(parameters())):
        assert rule._site[0].co_name == "test_site_is_the_users_line"


def test_threads_do_not_disturb_each_other():
    from concurrent.futures import ThreadPoolExecutor

    def train(_):
        p = nn.Parameter(ts.full((50,), 3.0))
        rule = optim.Adam([p], lr=0.1)
        for _ in range(50):
            rule.zero_grad()
            (p * p).sum().backward()
            rule.step()
        return p.tolist()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(train, range(8)))
    assert all(r == results[0] for r in results)
