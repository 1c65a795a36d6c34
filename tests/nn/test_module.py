"""Module: registration, attribute rules, traversal, state dicts, hooks, text; PyTorch is the reference where installed."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
import tapescope as ts
from tapescope import errors, nn

WITH_TORCH = "compares with PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        lib, tensor = nn, ts
        self.body = lib.Sequential(lib.Linear(4, 8), lib.ReLU(), lib.Linear(8, 3, bias=False))
        self.heads = lib.ModuleDict({"a": lib.Linear(3, 2)})
        self.extra = lib.ModuleList([lib.Linear(2, 2), lib.Linear(2, 2), lib.Tanh()])
        self.scale = lib.Parameter(tensor.ones(3))
        self.register_buffer("steps", tensor.zeros(1))
        self.register_buffer("cache", tensor.zeros(2), persistent=False)

    def forward(self, x):
        return self.heads["a"](self.body(x) * self.scale)


def torch_net():
    torch = pytest.importorskip("torch", reason=WITH_TORCH)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            lib = torch.nn
            self.body = lib.Sequential(lib.Linear(4, 8), lib.ReLU(), lib.Linear(8, 3, bias=False))
            self.heads = lib.ModuleDict({"a": lib.Linear(3, 2)})
            self.extra = lib.ModuleList([lib.Linear(2, 2), lib.Linear(2, 2), lib.Tanh()])
            self.scale = lib.Parameter(torch.ones(3))
            self.register_buffer("steps", torch.zeros(1))
            self.register_buffer("cache", torch.zeros(2), persistent=False)

    return Net()


def test_repr_keys_and_names_equal_pytorch():
    twin, net = torch_net(), Net()
    assert repr(net) == repr(twin)
    assert list(net.state_dict()) == list(twin.state_dict())
    for name in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [k for k, _ in getattr(net, name)()] == [k for k, _ in getattr(twin, name)()], name


def test_repr_of_layers():
    shown = repr(nn.Sequential(OrderedDict(fc=nn.Linear(2, 3), act=nn.GELU(), drop=nn.Dropout(0.1))))
    assert shown == (
        "Sequential(\n  (fc): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (act): GELU(approximate='none')\n  (drop): Dropout(p=0.1, inplace=False)\n)"
    )


def test_shared_modules_and_parameters_come_once():
    shared = nn.Linear(2, 2)
    net = nn.Sequential(shared, shared)
    assert len(list(net.parameters())) == 2
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert [n for n, _ in net.named_parameters(prefix="p", recurse=True)] == ["p.0.weight", "p.0.bias"]


def test_assignment_before_init():
    class Bad(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Bad()

    class Worse(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(ts.ones(1))

    with pytest.raises(AttributeError, match=r"cannot assign parameters before Module.__init__\(\) call"):
        Worse()

    class Empty(nn.Module):
        def __init__(self):
            pass

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
        Empty().anything  # noqa: B018


def test_assignment_of_wrong_kinds():
    net = Net()
    with pytest.raises(
        TypeError, match=r"cannot assign 'ts.Tensor' as parameter 'scale' \(ts.nn.Parameter or None expected\)"
    ):
        net.scale = net.scale * 2
    with pytest.raises(TypeError, match="cannot assign 'int' as child module 'body'"):
        net.body = 3
    with pytest.raises(TypeError, match="cannot assign 'float' as buffer 'steps'"):
        net.steps = 1.0
    with pytest.raises(TypeError, match="cannot assign 'numpy.ndarray' object to parameter 'w'"):
        net.register_parameter("w", np.ones(2))
    with pytest.raises(KeyError, match="attribute 'forward' already exists"):
        net.register_buffer("forward", None)
    with pytest.raises(KeyError, match="contain"):
        net.register_parameter("a.b", None)
    with pytest.raises(KeyError, match="empty string"):
        net.add_module("", nn.ReLU())
    with pytest.raises(TypeError, match="is not a Module subclass"):
        net.add_module("x", 3)


def test_assignment_moves_a_name_between_registries():
    net = nn.Module()
    net.x = 1
    net.x = nn.Parameter(ts.ones(1))
    assert "x" not in net.__dict__ and "x" in net._parameters
    net.x = None
    assert net.x is None and list(net.parameters()) == []
    del net.x
    net.x = nn.Linear(1, 1)
    assert [n for n, _ in net.named_children()] == ["x"]
    net.b = nn.Buffer(ts.ones(2), persistent=False)
    net.b = ts.zeros(2)
    assert list(net.state_dict()) == ["x.weight", "x.bias"] and net.b.tolist() == [0.0, 0.0]


def test_missing_attribute_suggests_close_names():
    net = Net()
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'boddy'. Did you mean: 'body'"):
        net.boddy  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        del net.nothing
    assert not hasattr(net, "zzz") and "scale" in dir(net)


def test_get_submodule_and_parameter():
    net = Net()
    assert net.get_submodule("body.0") is net.body[0] and net.get_submodule("") is net
    assert net.get_parameter("heads.a.weight") is net.heads["a"].weight
    assert net.get_buffer("steps") is net.steps
    with pytest.raises(AttributeError, match="has no attribute `tail`"):
        net.get_submodule("body.tail")
    with pytest.raises(AttributeError, match="is not an nn.Parameter"):
        net.get_parameter("steps")


def test_state_dict_round_trip_copies_values():
    first, second = Net(), Net()
    assert repr(second.load_state_dict(first.state_dict())) == "<All keys matched successfully>"
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert a is not b and np.array_equal(a.detach().numpy(), b.detach().numpy())
    assert first.state_dict(keep_vars=True)["scale"] is first.scale
    assert not first.state_dict()["scale"].requires_grad


def test_load_state_dict_lists_all_problems_and_loads_nothing():
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    before = net[0].weight.detach().clone()
    given = {"0.weight": ts.zeros(8, 4), "0.bias": ts.zeros(9), "1.weight": ts.zeros(5, 8), "tail": ts.zeros(1)}
    with pytest.raises(errors.CheckpointError) as caught:
        net.load_state_dict(given)
    text = str(caught.value)
    assert text.startswith('Error(s) in loading state_dict for Sequential:\n\tMissing key(s) in state_dict: "1.bias". ')
    assert 'Unexpected key(s) in state_dict: "tail". ' in text
    assert (
        "size mismatch for 0.bias: copying a param with shape (9,) from checkpoint, the shape in current model is (8,)."
        in text
    )
    assert "size mismatch for 1.weight" in text and "Nothing was loaded" in text
    assert np.array_equal(net[0].weight.detach().numpy(), before.numpy())
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(given, strict=False)
    keys = net.load_state_dict({"0.weight": ts.zeros(8, 4), "tail": ts.zeros(1)}, strict=False)
    assert keys.missing_keys == ["0.bias", "1.weight", "1.bias"] and keys.unexpected_keys == ["tail"]
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        net.load_state_dict([1])
    with pytest.raises(errors.CheckpointError, match="expected ts.Tensor from checkpoint but received numpy.ndarray"):
        nn.Linear(1, 1).load_state_dict({"weight": np.ones((1, 1)), "bias": ts.zeros(1)})


def test_load_state_dict_notices_a_prefix():
    net = nn.Linear(2, 2)
    with pytest.raises(errors.CheckpointError, match="prefix 'module.' only: strip it from"):
        net.load_state_dict({f"module.{k}": v for k, v in net.state_dict().items()})


def test_load_state_dict_assign():
    net = nn.Linear(2, 2)
    weight = ts.zeros(2, 2)
    net.load_state_dict({"weight": weight, "bias": ts.zeros(2)}, assign=True)
    assert isinstance(net.weight, nn.Parameter) and net.weight.data_ptr() == weight.data_ptr()


def test_loading_between_forward_and_backward_is_noticed():
    net = nn.Linear(2, 2)
    x = ts.ones(1, 2, requires_grad=True)
    loss = net(x).sum()
    net.load_state_dict({"weight": ts.zeros(2, 2), "bias": ts.zeros(2)})
    with pytest.raises(errors.InplaceError, match="test_module.py"):
        loss.backward()


def test_forward_hooks():
    net, calls = nn.Linear(1, 1, bias=False), []
    net.weight.data = ts.ones(1, 1)
    handles = [
        net.register_forward_pre_hook(lambda m, args: (args[0] * 2,)),
        net.register_forward_pre_hook(
            lambda m, args, kwargs: calls.append(("pre", len(args), kwargs)), with_kwargs=True
        ),
        net.register_forward_hook(lambda m, args, out: out + 1),
        net.register_forward_hook(lambda m, args, kwargs, out: calls.append(("post", out.item())), with_kwargs=True),
        net.register_forward_hook(lambda m, args, out: calls.append("first"), prepend=True),
    ]
    assert net(ts.ones(1, 1)).item() == 3.0
    assert calls == [("pre", 1, {}), "first", ("post", 3.0)]
    for handle in handles:
        handle.remove()
    assert net(ts.ones(1, 1)).item() == 1.0


def test_forward_hook_always_call_and_tag_after_an_error():
    class Bad(nn.Module):
        def forward(self):
            raise KeyError("x")

    bad, calls = Bad(), []
    bad.register_forward_hook(lambda m, args, out: calls.append(out), always_call=True)
    with pytest.raises(KeyError):
        bad()
    assert calls == [None] and ts.autograd.STATE.tag is None


def hooked_gradients(lib, tensor):
    net = lib.Linear(2, 2, bias=False)
    net.weight.data = tensor([[1.0, 2.0], [3.0, 4.0]])
    seen = []
    net.register_full_backward_pre_hook(lambda m, grad: tuple(g * 2 for g in grad))
    net.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].tolist(), go[0].tolist())))
    net.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
    x = tensor([[1.0, -1.0]])
    x.requires_grad_()
    net(x).sum().backward()
    return seen, x.grad.tolist(), net.weight.grad.tolist()


def test_backward_hooks_equal_pytorch():
    ours = hooked_gradients(nn, ts.tensor)
    assert ours == ([([[8.0, 12.0]], [[2.0, 2.0]])], [[80.0, 120.0]], [[2.0, -2.0], [2.0, -2.0]])
    torch = pytest.importorskip("torch", reason=WITH_TORCH)
    assert ours == hooked_gradients(torch.nn, torch.tensor)


def test_backward_hook_of_several_inputs_and_of_none_that_require_grad():
    class Mix(nn.Module):
        def forward(self, a, b, k):
            return a * b * k, a + b

    mix, seen = Mix(), []
    mix.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a, b = ts.tensor([2.0], requires_grad=True), ts.tensor([3.0], requires_grad=True)
    product, total = mix(a, b, 2.0)
    (product + total).sum().backward()
    (grads, outs) = seen.pop()
    assert grads[2] is None and (grads[0].item(), grads[1].item()) == (7.0, 5.0) and len(outs) == 2
    assert (a.grad.item(), b.grad.item()) == (7.0, 5.0)
    net = nn.Linear(1, 1)
    net.register_full_backward_hook(lambda m, gi, go: seen.append(gi))
    net(ts.ones(1, 1)).sum().backward()
    assert seen == [(None,)]


def test_train_eval_apply_and_requires_grad():
    net, order = Net(), []
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    with pytest.raises(ValueError, match="boolean"):
        net.train("yes")
    net.apply(lambda m: order.append(type(m).__name__))
    assert order[-1] == "Net" and order[0] == "Linear"
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())


def test_zero_grad():
    net = nn.Linear(2, 1)
    net(ts.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.weight.grad.tolist() == [[0.0, 0.0]]
    net.zero_grad()
    assert net.weight.grad is None


def test_conversions_keep_the_parameter_objects():
    net = Net()
    weight = net.body[0].weight
    net.register_buffer("count", ts.zeros(1, dtype=ts.int64))
    net.double()
    assert net.body[0].weight is weight and weight.dtype is ts.float64
    assert net.steps.dtype is ts.float64 and net.count.dtype is ts.int64
    assert net.to("cpu", ts.float16).scale.dtype is ts.float16
    assert net.to(ts.zeros(1)).scale.dtype is ts.float32 and net.half().float().bfloat16().scale.dtype is ts.bfloat16
    with pytest.raises(TypeError, match="floating point"):
        net.to(ts.int64)
    with pytest.raises(errors.DeviceError, match="mps"):
        net.to("mps")
    net.float().double()
    (net(ts.ones(1, 4, dtype=ts.float64))).sum().backward()
    assert weight.grad.dtype is ts.float64


def test_deepcopy_is_independent():
    net = Net()
    twin = copy.deepcopy(net)
    twin.scale.data = ts.zeros(3)
    assert net.scale.tolist() == [1.0, 1.0, 1.0]
    assert type(twin.scale) is nn.Parameter and twin.scale.requires_grad and repr(twin) == repr(net)


def test_containers():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).append(nn.Tanh())
    assert len(net) == 3 and isinstance(net[-1], nn.Tanh) and [type(m).__name__ for m in net[1:]] == ["ReLU", "Tanh"]
    net.insert(1, nn.GELU())
    del net[0]
    net[0] = nn.Sigmoid()
    assert [n for n, _ in net.named_children()] == ["0", "1", "2"] and isinstance(net.pop(0), nn.Sigmoid)
    with pytest.raises(IndexError, match="index 9 is out of range"):
        net[9]
    with pytest.raises(TypeError, match="is not a Module subclass"):
        nn.Sequential(nn.ReLU(), 3)
    layers = nn.ModuleList(nn.Linear(1, 1) for _ in range(3))
    assert "(0-2): 3 x Linear(in_features=1, out_features=1, bias=True)" in repr(layers)
    layers += [nn.ReLU()]
    assert len(layers) == 4 and len(layers[1:3]) == 2
    with pytest.raises(NotImplementedError, match="ModuleList"):
        layers(1)
    table = nn.ModuleDict({"a": nn.ReLU()})
    table["b"] = nn.Tanh()
    assert list(table) == ["a", "b"] and "a" in table and isinstance(table.pop("a"), nn.ReLU) and len(table) == 1
    with pytest.raises(KeyError, match="'b'"):
        table["c"]


def test_forward_is_missing():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r'Module \[Empty\] is missing the required "forward" function'):
        Empty()(1)


def test_nodes_know_their_module_and_the_calling_line():
    net = Net()
    out = net(ts.ones(1, 4))
    tag = out.grad_fn.tag
    assert tag.module is net.heads["a"] and tag.parent.module is net and tag.parent.parent is None
    assert (
        tag.code.co_name == "forward" and tag.parent.code.co_name == "test_nodes_know_their_module_and_the_calling_line"
    )
    assert net._site[0].co_name == "test_nodes_know_their_module_and_the_calling_line"
    assert net.body[0]._site[0].co_name == "__init__"
    assert net.body[0].weight._site[0].co_name == "__init__"


def test_parameter():
    p = nn.Parameter(ts.tensor([1.0]))
    assert (
        repr(p) == "Parameter containing:\ntensor([1.], requires_grad=True)" and p.is_leaf and type(p * 1) is ts.Tensor
    )
    assert not nn.Parameter(ts.ones(1), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="takes a tensor, but got list"):
        nn.Parameter([1.0])
    with pytest.raises(errors.DtypeError):
        nn.Parameter(ts.tensor([1]))
    y = p * 2
    assert nn.Parameter(y).is_leaf


def test_state_dict_hooks():
    net = nn.Linear(1, 1)
    handle = net.register_state_dict_post_hook(lambda m, state, prefix, meta: state.pop(prefix + "bias"))
    assert list(net.state_dict()) == ["weight"]
    net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    assert net.load_state_dict(net.state_dict()).missing_keys == []
    handle.remove()
    assert list(net.state_dict()) == ["weight", "bias"]
