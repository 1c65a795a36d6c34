"""New tensors: from data, filled, counted, random. Each remembers the line that made it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .. import dtypes
from ..backends.devices import require
from ..backends.random import Generator, default_generator
from ..errors import DtypeError, ShapeError, inside_package
from ..ops import random
from ..ops.shape import shape_arguments
from .record import ndarray, wrap
from .tensor import Tensor

__all__ = [
    "arange", "as_tensor", "bernoulli", "empty", "empty_like", "eye", "from_numpy", "full", "full_like",
    "initial_seed", "linspace", "manual_seed", "multinomial", "normal", "ones", "ones_like", "rand", "rand_like",
    "randint", "randn", "randn_like", "randperm", "tensor", "zeros", "zeros_like",
]  # fmt: skip


def _made(array: ndarray, requires_grad: bool = False) -> Tensor:
    """The new tensor, with the first line outside the package as its site."""
    t = wrap(array)
    frame = sys._getframe(2)
    while inside_package(frame.f_code) and frame.f_back is not None:
        frame = frame.f_back
    t._site = (frame.f_code, frame.f_lasti)
    if requires_grad:
        t.requires_grad = True
    return t


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    return dtypes.default().dtype if dtype is None else dtypes.as_dtype(dtype).dtype


def _floating(dtype: Any, name: str) -> np.dtype[Any]:
    kind = dtypes.default() if dtype is None else dtypes.as_dtype(dtype)
    if kind.category != dtypes.FLOAT:
        raise DtypeError(f"{name}: dtype {kind} cannot hold random real numbers; expected a floating-point dtype.")
    return kind.dtype


def _sizes(size: tuple[Any, ...], name: str) -> tuple[int, ...]:
    try:
        sizes = tuple(n.__index__() for n in shape_arguments(size))
    except AttributeError:
        raise ShapeError(f"{name}: sizes must be integers, got {size}.") from None
    if min(sizes, default=0) < 0:
        raise ShapeError(f"{name}: sizes must not be negative, got {sizes}.")
    return sizes


# -- from data ---------------------------------------------------------------------------------------------------------


def _from_data(data: Any, dtype: Any, copy: bool) -> ndarray:
    if isinstance(data, Tensor):
        source = data._array
    elif isinstance(data, (ndarray, np.generic)):
        source = np.asarray(data)
    else:
        source = _from_sequence(data)
    if dtype is not None:
        return source.astype(dtypes.as_dtype(dtype).dtype, copy=copy)
    if source.dtype not in dtypes.BY_NUMPY:
        kinds = ", ".join(dtypes.BY_NAME)
        raise DtypeError(f"tensor: data of dtype {source.dtype} cannot be a tensor; expected one of {kinds}.")
    return source.copy() if copy else source


def _from_sequence(data: Any) -> ndarray:
    """Nested sequences of numbers, or of tensors; floats take the default dtype."""
    try:
        array = np.array(_plain(data))
    except ValueError:
        raise ShapeError(f"tensor: the rows of the data have different lengths: {data!r:.120}.") from None
    except TypeError as error:
        raise DtypeError(f"tensor: cannot make a tensor of {type(data).__name__}: {error}.") from None
    if array.dtype.kind in "OUS":
        raise DtypeError(f"tensor: cannot make a tensor of {type(data).__name__}: {data!r:.80}; expected numbers.")
    if array.dtype == np.float64 and not _has_numpy_float64(data):
        return array.astype(dtypes.default().dtype)
    return (
        array.astype(np.complex64) if array.dtype == np.complex128 and dtypes.default() is not dtypes.float64 else array
    )


def _plain(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data._array
    if isinstance(data, (list, tuple)) and any(isinstance(part, (Tensor, list, tuple)) for part in data):
        return [_plain(part) for part in data]
    return data


def _has_numpy_float64(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    if isinstance(data, Tensor):
        data = data._array
    return isinstance(data, (np.generic, ndarray)) and data.dtype == np.float64


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``: numbers, nested sequences of them, an array or a tensor.

    Floats take the default dtype (float32), integers int64; arrays keep theirs.

    Raises:
        ShapeError: rows of different lengths.
        DtypeError: not numbers, or ``requires_grad`` for integers.
        DeviceError: the device is unknown or absent.

    Example:
        >>> import tapescope as ts
        >>> ts.tensor([[1.0, 2.0], [3.0, 4.0]])
        tensor([[1., 2.],
                [3., 4.]])
    """
    require(device)
    return _made(_from_data(data, dtype, True), requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """As :func:`tensor`, sharing memory where possible: an array is not copied, a tensor is given back.

    Example:
        >>> import numpy as np, tapescope as ts
        >>> a = np.zeros(2); t = ts.as_tensor(a); a[0] = 1
        >>> t
        tensor([1., 0.], dtype=tapescope.float64)
    """
    require(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtypes.as_dtype(dtype))
    return _made(_from_data(data, dtype, False))


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor that shares the memory of a NumPy array.

    Example:
        >>> import numpy as np, tapescope as ts
        >>> ts.from_numpy(np.arange(3))
        tensor([0, 1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise DtypeError(f"from_numpy: got {type(ndarray).__name__}, expected a NumPy array.", hint="Use ts.tensor().")
    return _made(_from_data(ndarray, None, False))


# -- filled --------------------------------------------------------------------------------------------------------------


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the given sizes.

    Example:
        >>> import tapescope as ts
        >>> ts.zeros(2, 3)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    require(device)
    return _made(np.zeros(_sizes(size, "zeros"), _numpy_dtype(dtype)), requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the given sizes.

    Example:
        >>> import tapescope as ts
        >>> ts.ones(3)
        tensor([1., 1., 1.])
    """
    require(device)
    return _made(np.ones(_sizes(size, "ones"), _numpy_dtype(dtype)), requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uninitialised memory of the given sizes.

    Example:
        >>> import tapescope as ts
        >>> ts.empty(2, 3).shape
        tapescope.Size([2, 3])
    """
    require(device)
    return _made(np.empty(_sizes(size, "empty"), _numpy_dtype(dtype)), requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``fill_value`` everywhere.

    Example:
        >>> import tapescope as ts
        >>> ts.full((2,), 7)
        tensor([7, 7])
    """
    require(device)
    kind = (
        dtypes.of_scalar(fill_value.item() if hasattr(fill_value, "item") else fill_value)
        if dtype is None
        else dtypes.as_dtype(dtype)
    )
    return _made(np.full(_sizes((size,), "full"), fill_value, kind.dtype), requires_grad)


def _like(input: Tensor, dtype: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    return input._array.shape, input._array.dtype if dtype is None else dtypes.as_dtype(dtype).dtype


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype of ``input``.

    Example:
        >>> import tapescope as ts
        >>> ts.zeros_like(ts.tensor([1, 2]))
        tensor([0, 0])
    """
    require(device)
    return _made(np.zeros(*_like(input, dtype)), requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype of ``input``.

    Example:
        >>> import tapescope as ts
        >>> ts.ones_like(ts.tensor([1.5, 2.5]))
        tensor([1., 1.])
    """
    require(device)
    return _made(np.ones(*_like(input, dtype)), requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uninitialised memory in the shape and dtype of ``input``.

    Example:
        >>> import tapescope as ts
        >>> ts.empty_like(ts.zeros(2)).shape
        tapescope.Size([2])
    """
    require(device)
    return _made(np.empty(*_like(input, dtype)), requires_grad)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``fill_value`` everywhere, in the shape and dtype of ``input``.

    Example:
        >>> import tapescope as ts
        >>> ts.full_like(ts.zeros(2), 3)
        tensor([3., 3.])
    """
    require(device)
    shape, kind = _like(input, dtype)
    return _made(np.full(shape, fill_value, kind), requires_grad)


# -- counted ---------------------------------------------------------------------------------------------------------------


def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The numbers from ``start`` (0 if one number is given) up to, not including, ``end``.

    Example:
        >>> import tapescope as ts
        >>> ts.arange(1, 2, 0.25)
        tensor([1.0000, 1.2500, 1.5000, 1.7500])
    """
    require(device)
    if end is None:
        start, end = 0, start
    values = [v.item() if hasattr(v, "item") else v for v in (start, end, step)]
    if values[2] == 0:
        raise ValueError("arange: step must not be 0.")
    whole = all(isinstance(v, int) for v in values)
    kind = _numpy_dtype(dtype) if dtype is not None or not whole else np.dtype(np.int64)
    return _made(np.arange(*values).astype(kind, copy=False), requires_grad)


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included.

    Example:
        >>> import tapescope as ts
        >>> ts.linspace(0, 1, 3)
        tensor([0.0000, 0.5000, 1.0000])
    """
    require(device)
    return _made(np.linspace(start, end, steps).astype(_numpy_dtype(dtype)), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix of zeros.

    Example:
        >>> import tapescope as ts
        >>> ts.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    require(device)
    return _made(np.eye(n, m, dtype=_numpy_dtype(dtype)), requires_grad)


# -- random ----------------------------------------------------------------------------------------------------------------


def manual_seed(seed: int) -> Generator:
    """Begin the default stream of random numbers anew. Returns its generator.

    Example:
        >>> import tapescope as ts
        >>> _ = ts.manual_seed(0); a = ts.rand(2)
        >>> _ = ts.manual_seed(0); ts.equal(a, ts.rand(2))
        True
    """
    return default_generator.manual_seed(seed)


def initial_seed() -> int:
    """The seed that the default stream began with."""
    return default_generator.initial_seed()


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1).

    Example:
        >>> import tapescope as ts
        >>> bool((ts.rand(100) < 1).all())
        True
    """
    require(device)
    return _made(random.uniform(_sizes(size, "rand"), _floating(dtype, "rand"), generator), requires_grad)


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None,
          requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Normal numbers of mean 0 and standard deviation 1.

    Example:
        >>> import tapescope as ts
        >>> ts.randn(2, 3).shape
        tapescope.Size([2, 3])
    """
    require(device)
    return _made(random.normal(_sizes(size, "randn"), _floating(dtype, "randn"), generator), requires_grad)


def rand_like(input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Uniform numbers in the shape and dtype of ``input``.

    Example:
        >>> import tapescope as ts
        >>> ts.rand_like(ts.zeros(2)).shape
        tapescope.Size([2])
    """
    require(device)
    return _made(
        random.uniform(input._array.shape, _floating(dtype or input.dtype, "rand_like"), generator), requires_grad
    )


def randn_like(input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
               requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Normal numbers in the shape and dtype of ``input``.

    Example:
        >>> import tapescope as ts
        >>> ts.randn_like(ts.zeros(2)).shape
        tapescope.Size([2])
    """
    require(device)
    return _made(
        random.normal(input._array.shape, _floating(dtype or input.dtype, "randn_like"), generator), requires_grad
    )


def randint(low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
            device: Any = None) -> Tensor:  # fmt: skip
    """Integers from ``low`` (0 if left out) up to, not including, ``high``: ``randint(10, (3,))``, ``randint(1, 7, (3,))``.

    Example:
        >>> import tapescope as ts
        >>> ts.randint(3, 4, (2,))
        tensor([3, 3])
    """
    require(device)
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise ValueError(f"randint: no integer lies in [{low}, {high}).")
    kind = dtypes.as_dtype(dtypes.int64 if dtype is None else dtype).dtype
    return _made(random.integers(_sizes((size,), "randint"), kind, generator, low, high))


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The integers 0 to n-1 in random order.

    Example:
        >>> import tapescope as ts
        >>> sorted(ts.randperm(4).tolist())
        [0, 1, 2, 3]
    """
    require(device)
    return _made(random.permutation(n, dtypes.as_dtype(dtypes.int64 if dtype is None else dtype).dtype, generator))


def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Normal numbers of the given mean and standard deviation, each a number (with ``size``) or a tensor.

    Example:
        >>> import tapescope as ts
        >>> ts.normal(0.0, 1.0, (2, 3)).shape
        tapescope.Size([2, 3])
    """
    centre, spread = (v._array if isinstance(v, Tensor) else np.asarray(v, dtypes.default().dtype) for v in (mean, std))
    shape = np.broadcast_shapes(centre.shape, spread.shape) if size is None else _sizes((size,), "normal")
    kind = np.result_type(centre, spread)
    return _made(random.normal(shape, kind, generator) * spread + centre)


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """One with the probability that ``input`` gives, else zero, element by element.

    Example:
        >>> import tapescope as ts
        >>> ts.bernoulli(ts.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    p = input._array
    return _made((random.uniform(p.shape, p.dtype, generator) < p).astype(p.dtype))


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """``num_samples`` places of the last dimension, drawn in proportion to its weights.

    Example:
        >>> import tapescope as ts
        >>> ts.multinomial(ts.tensor([0.0, 1.0, 0.0]), 1)
        tensor([1])
    """
    if not replacement and num_samples > input.shape[-1]:
        raise ValueError(f"multinomial: {num_samples} of {input.shape[-1]} places cannot be drawn without replacement.")
    if (input._array < 0).any() or not np.isfinite(input._array).all() or not input._array.sum(-1).all():
        raise ValueError("multinomial: weights must be finite, not negative, and not all zero.")
    return _made(random.choose(input._array, num_samples, replacement, generator))
