"""The update rules on bare arrays: one pass over a parameter, compiled where Numba is there, NumPy otherwise.

Called by the optimizers. Invariant: both paths do the same operations in the same order, each rounded to the
parameter's dtype, so they give the same values; the order is PyTorch's, so its trajectories are met too.

The compiled rules take flat contiguous arrays; `c` holds the rule's numbers in the parameter's dtype. They divide
through np.divide, since a plain `/` brings a check for zero that keeps the loop from being vectorised (5 µs against
38 µs for 10,000 float32).
"""

from __future__ import annotations

import numpy as np

from ..backends import jit

_quietly = np.errstate(all="ignore")  # gradients that are not finite pass on without a word, as in the compiled rules


def update_sgd(p: np.ndarray, g: np.ndarray, c: np.ndarray) -> None:
    """`p -= lr * d` in place, where `d = sign * g + decay * p`; c = (lr, decay, sign)."""
    if _compiles(p, g):
        _sgd(p.reshape(-1), g.reshape(-1), c)
    else:
        _sgd_numpy(p, g, c)


@_quietly
def _sgd_numpy(p: np.ndarray, g: np.ndarray, c: np.ndarray) -> None:
    lr, decay, sign = c
    d = g * sign
    if decay != 0:
        d += p * decay
    d *= lr
    p -= d


def update_momentum(p: np.ndarray, g: np.ndarray, m: np.ndarray, c: np.ndarray, nesterov: bool) -> None:
    """`m = carry * m + damped * d; p -= lr * m` in place, or `lr * (d + momentum * m)` with Nesterov.

    c = (lr, decay, sign, carry, damped, momentum); carry is 0 in the first step and the momentum afterwards.
    """
    if _compiles(p, g, m):
        _momentum(p.reshape(-1), g.reshape(-1), m.reshape(-1), c, nesterov)
    else:
        _momentum_numpy(p, g, m, c, nesterov)


@_quietly
def _momentum_numpy(p: np.ndarray, g: np.ndarray, m: np.ndarray, c: np.ndarray, nesterov: bool) -> None:
    lr, decay, sign, carry, damped, momentum = c
    d = g * sign
    if decay != 0:
        d += p * decay
    m *= carry
    m += d * damped
    p -= (d + m * momentum if nesterov else m) * lr


def update_adam(
    p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, top: np.ndarray | None, c: np.ndarray, decoupled: bool
) -> None:
    """One step of Adam in place; `top` is the largest second moment so far, for AMSGrad.

    c = (1 - beta1, beta2, 1 - beta2, sqrt(correction2), eps, -lr / correction1, decay, sign), where decay is the L2
    factor, or with `decoupled` the factor 1 - lr * weight_decay on the parameter.
    """
    if not _compiles(p, g, m, v) or (top is not None and not top.flags.carray):
        _adam_numpy(p, g, m, v, top, c, decoupled)
    elif top is None:
        _adam(p.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1), c, decoupled)
    else:
        _amsgrad(p.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1), top.reshape(-1), c, decoupled)


@_quietly
def _adam_numpy(
    p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, top: np.ndarray | None, c: np.ndarray, decoupled: bool
) -> None:
    w1, b2, w2, root, eps, step, decay, sign = c
    d = g * sign
    if decoupled:
        p *= decay
    elif decay != 0:
        d += p * decay
    m += (d - m) * w1
    v *= b2
    v += d * w2 * d
    if top is not None:
        np.maximum(top, v, out=top)
    p += m * step / (np.sqrt(v if top is None else top) / root + eps)


def _compiles(p: np.ndarray, g: np.ndarray, *state: np.ndarray) -> bool:
    return (
        p.dtype.char in "fd"
        and g.dtype is p.dtype
        and p.flags.carray
        and all(s.flags.carray for s in state)
        and jit.available()
    )


@jit.kernel
def _sgd(p, g, c):
    lr, decay, sign = c[0], c[1], c[2]
    for i in range(p.size):
        d = g[i] * sign
        if decay != 0:
            d = d + p[i] * decay
        p[i] = p[i] - d * lr


@jit.kernel
def _momentum(p, g, m, c, nesterov):
    lr, decay, sign, carry, damped, momentum = c[0], c[1], c[2], c[3], c[4], c[5]
    for i in range(p.size):
        d = g[i] * sign
        if decay != 0:
            d = d + p[i] * decay
        u = m[i] * carry + d * damped
        m[i] = u
        if nesterov:
            u = d + u * momentum
        p[i] = p[i] - u * lr


@jit.kernel
def _adam(p, g, m, v, c, decoupled):
    w1, b2, w2, root, eps, step, decay, sign = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
    for i in range(p.size):
        d = g[i] * sign
        x = p[i]
        if decoupled:
            x = x * decay
        elif decay != 0:
            d = d + x * decay
        first = m[i] + (d - m[i]) * w1
        second = v[i] * b2 + d * w2 * d
        m[i] = first
        v[i] = second
        p[i] = x + np.divide(first * step, np.divide(np.sqrt(second), root) + eps)


@jit.kernel
def _amsgrad(p, g, m, v, top, c, decoupled):
    w1, b2, w2, root, eps, step, decay, sign = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
    for i in range(p.size):
        d = g[i] * sign
        x = p[i]
        if decoupled:
            x = x * decay
        elif decay != 0:
            d = d + x * decay
        first = m[i] + (d - m[i]) * w1
        second = v[i] * b2 + d * w2 * d
        m[i] = first
        v[i] = second
        most = top[i] if top[i] > second or top[i] != top[i] else second
        top[i] = most
        p[i] = x + np.divide(first * step, np.divide(np.sqrt(most), root) + eps)
