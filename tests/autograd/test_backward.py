"""The backward pass: values, accumulation, freeing, hooks, modes, higher order, size."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import numpy as np
import pytest
import tapescope as ts
from tapescope.errors import DeviceError, DtypeError, GradError, InplaceError, ShapeError


def leaf(*values: float) -> ts.Tensor:
    return ts.tensor(list(values), requires_grad=True)


def test_shared_input_adds_up() -> None:
    x = leaf(2.0, 3.0)
    y = x * x + x
    (y * y + y).sum().backward()
    np.testing.assert_allclose(x.grad._array, [(2 * 6 + 1) * 5, (2 * 12 + 1) * 7])


def test_backward_accumulates_and_zeroing_starts_anew() -> None:
    x = leaf(1.0)
    (x * 3).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    assert x.grad is first and x.grad.item() == 6.0
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.item() == 3.0


def test_leaves_do_not_share_a_gradient() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).sum().backward()
    x.grad.zero_()
    assert y.grad.tolist() == [1.0, 1.0]
    seed = ts.ones(2)
    z = leaf(1.0, 2.0)
    (z + 0).backward(seed)
    z.grad.zero_()
    assert seed.tolist() == [1.0, 1.0]


def test_a_fresh_gradient_is_handed_over_and_a_held_one_copied() -> None:
    made, seen = [], []
    x = ts.ones(3, requires_grad=True)
    ts.autograd.events.node_done.append(lambda node, grads: made.append(id(grads[0])))
    try:
        (x * ts.ones(3)).backward(ts.ones(3))
    finally:
        ts.autograd.events.node_done.clear()
    assert id(x.grad._array) == made[-1]  # no copy where nobody else holds it
    y = ts.ones(3, requires_grad=True)
    z = y + 0
    z.register_hook(lambda g: seen.append(g))
    z.backward(ts.ones(3))
    seen[0].zero_()
    assert y.grad.tolist() == [1.0, 1.0, 1.0]


def test_second_backward_names_the_line() -> None:
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(GradError, match=r"mul .*test_backward\.py\", line \d+.*freed.*retain_graph=True"):
        loss.backward()


def test_retain_graph() -> None:
    x = leaf(3.0)
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert x.grad.item() == 12.0


def test_saved_value_changed_in_place_gives_three_lines() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y * y  # saved here
    y.add_(1)  # changed here
    with pytest.raises(InplaceError) as caught:
        z.sum().backward()
    text = str(caught.value)
    assert text.count("test_backward.py") == 2 and "saved an input" in text and "changed in place at" in text
    assert [role for role, *_ in caught.value.sites] == ["saved at", "changed at"]


@pytest.mark.parametrize("change", ["view", "detached", "data", "setitem", "optimizer"])
def test_every_way_to_change_a_saved_value_is_noticed(change: str) -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()  # saves its own output
    if change == "view":
        y[0].mul_(2)
    elif change == "detached":
        y.detach().zero_()
    elif change == "data":
        y.data.mul_(2)
    elif change == "setitem":
        y[1] = 7.0
    else:
        with ts.no_grad():
            y -= 0.1
    with pytest.raises(InplaceError, match="exp saved its own output"):
        y.sum().backward()


def test_change_of_what_nobody_saved_is_fine() -> None:
    x = leaf(1.0, 2.0)
    y = x + 1
    z = y + 1
    y.mul_(5)
    z.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_in_place_gradients() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * 2
    y.mul_(w)
    y += x
    y.exp_()
    y.sum().backward()
    e = np.exp([1 * 2 * 3 + 1, 2 * 2 * 4 + 2])
    np.testing.assert_allclose(x.grad._array, e * ([7, 9]), 1e-5)
    np.testing.assert_allclose(w.grad._array, e * [2, 4], 1e-5)


def test_leaf_cannot_be_changed_in_place() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(InplaceError, match="leaf"):
        x.add_(1)
    with pytest.raises(InplaceError, match="leaf"):
        x[0] = 1
    with ts.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0]


def test_graph_is_freed_without_the_collector() -> None:
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = x.exp()
        big = weakref.ref(y._array)
        node = weakref.ref(y.grad_fn)
        z = (y * y)[0].reshape(1).sum()
        z.backward()
        del y, z
        assert big() is None and node() is None
    finally:
        gc.enable()


def test_memory_falls_while_backward_walks() -> None:
    x = ts.ones(1000, requires_grad=True)
    kept, alive = [], []
    y = x
    for _ in range(20):
        y = (y * 0.1).exp()
        kept.append(weakref.ref(y._array))
    loss = y.sum()
    del y
    ts.autograd.events.node_done.append(lambda node, grads: alive.append(sum(k() is not None for k in kept)))
    try:
        loss.backward()
    finally:
        ts.autograd.events.node_done.clear()
    assert alive[0] >= 20 and alive[-1] <= 1


def test_long_tape_without_recursion_in_linear_time() -> None:
    def seconds(n: int) -> float:
        x = leaf(1.0)
        y = x
        for _ in range(n):
            y = y + x
        start = time.process_time()
        y.sum().backward()
        assert x.grad.item() == n + 1
        del y
        return time.process_time() - start

    seconds(1000)
    short, long = min(seconds(20_000) for _ in range(3)), seconds(200_000)
    assert long < 20 * short


def test_grad_leaves_grad_alone_and_prunes() -> None:
    x, y = leaf(2.0), leaf(5.0)
    z = x * x * y
    (gx,) = ts.autograd.grad(z, x)
    assert gx.item() == 20.0 and x.grad is None and y.grad is None
    with pytest.raises(GradError, match="do not depend"):
        ts.autograd.grad(x * 2, y)
    assert ts.autograd.grad(x * 2, y, allow_unused=True) == (None,)
    assert ts.autograd.grad(x * 2, y, materialize_grads=True)[0].item() == 0.0


def test_grad_of_an_intermediate() -> None:
    x = leaf(2.0)
    y = x * 3
    z = y * y
    gy, gx = ts.autograd.grad(z, [y, x])
    assert gy.item() == 12.0 and gx.item() == 36.0


def test_third_order() -> None:
    x = ts.tensor(2.0, requires_grad=True)
    y = x**4
    for expected in (32.0, 48.0, 48.0):
        (y,) = ts.autograd.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_hooks() -> None:
    x = leaf(1.0, 2.0)
    seen = []
    y = x * 2
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: seen.append(g.tolist()))
    y.retain_grad()
    y.sum().backward()
    assert seen == [[1.0, 1.0], [20.0, 20.0]] and y.grad.tolist() == [10.0, 10.0]
    handle.remove()
    done = []
    x.register_post_accumulate_grad_hook(lambda t: done.append(t.grad.tolist()))
    (x * 1).sum().backward()
    assert done == [[21.0, 21.0]] and len(seen) == 3
    with pytest.raises(GradError, match="shape"):
        z = x * 2
        z.register_hook(lambda g: ts.ones(3))
        z.sum().backward()


def test_modes_nest_and_survive_errors() -> None:
    x = leaf(1.0)
    with ts.no_grad():
        assert not (x * 2).requires_grad
        with ts.enable_grad():
            assert (x * 2).requires_grad
        with pytest.raises(ZeroDivisionError), ts.enable_grad():
            raise ZeroDivisionError
        assert not ts.is_grad_enabled()

    @ts.no_grad()
    def decorated() -> bool:
        return (x * 2).requires_grad

    @ts.no_grad
    def generator():
        yield (x * 2).requires_grad
        yield (x * 2).requires_grad

    assert not decorated()
    assert list(generator()) == [False, False] and ts.is_grad_enabled()
    with ts.set_grad_enabled(False):
        assert not ts.is_grad_enabled()
    ts.set_grad_enabled(False)
    assert not ts.is_grad_enabled()
    ts.set_grad_enabled(True)


def test_modes_belong_to_a_thread() -> None:
    x = leaf(1.0)
    results = []
    with ts.no_grad():
        thread = threading.Thread(target=lambda: results.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert results == [True]


def test_errors_say_what_came_in() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(GradError, match=r"shape \(2,\).*single element"):
        (x * 2).backward()
    with pytest.raises(GradError, match="does not require grad"):
        ts.ones(1).sum().backward()
    with pytest.raises(ShapeError, match=r"\(3,\).*expected \(2,\)"):
        (x * 2).backward(ts.ones(3))
    with pytest.raises(DtypeError, match="floating-point"):
        ts.tensor([1, 2], requires_grad=True)
    with pytest.raises(DeviceError, match="unknown device 'tpu'"):
        ts.zeros(2, device="tpu")
    with pytest.raises(DeviceError, match="not available"):
        ts.zeros(2).to("cuda")
    with pytest.raises(GradError, match="detach"):
        x.numpy()


def test_an_error_in_a_gradient_keeps_all_and_names_the_forward_line() -> None:
    from tapescope.ops.record import Op, run_one

    def broken(g):
        raise ArithmeticError("no such slope")

    op = Op("broken", lambda x: x.copy(), (broken,))
    y = run_one(op, leaf(1.0))
    with pytest.raises(ArithmeticError, match="no such slope") as caught:
        y.sum().backward()
    assert "In backward of broken, recorded at" in caught.value.__notes__[0]
    del ts.autograd.methods.ops_record.OPS["broken"]


def test_views_see_changes_and_keep_right_gradients() -> None:
    x = leaf(1.0, 2.0, 3.0, 4.0)
    base = x * 1
    matrix = base.reshape(2, 2)
    row = matrix[1]
    other = base[3:]
    row.mul_(10)
    assert base.tolist() == [1.0, 2.0, 30.0, 40.0]
    (other.sum() * 2 + matrix.sum()).backward()
    assert x.grad.tolist() == [1.0, 1.0, 10.0, 30.0]


def test_buffer_written_row_by_row() -> None:
    x = leaf(1.0, 2.0, 3.0)
    buffer = ts.zeros(3, 2)
    view = buffer[2]
    for i in range(2):
        buffer[i] = x[i] * 2
    view += x[2] * 3
    (buffer * ts.tensor([[1.0], [2.0], [3.0]])).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0, 18.0]


def test_split_and_its_limits() -> None:
    x = leaf(1.0, 2.0, 3.0, 4.0)
    first, second = (x * 1).split(2)
    (first * second).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0, 1.0, 2.0]
    with pytest.raises(InplaceError, match="several outputs"):
        (x * 1).split(2)[0].add_(1)
    with pytest.raises(InplaceError, match="expanded"):
        (x * 1).expand(2, 4).add_(1)


def test_views_of_a_former_leaf_are_not_forgotten() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    view = x[0]
    x.requires_grad_(False)
    with pytest.raises(InplaceError, match="view"):
        x.mul_(w)
    del view
