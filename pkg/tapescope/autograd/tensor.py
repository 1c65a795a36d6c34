"""Tensor: an array, the edge of the tape that made it, and PyTorch's methods.

Stands on recording; what can be derived from op records is attached in ``methods.py``. Invariant: ``_edge`` is None
exactly where no gradient is wanted.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..backends.devices import CPU, device, require
from ..errors import DtypeError, GradError, ShapeError
from ..ops import elementwise, index
from . import inplace
from .handles import RemovableHandle
from .node import Leaf, Node, Output
from .record import _CREATED, apply_one, bind, counter_of, ndarray, new, notify, view_of, wrap
from .text import tensor_text
from .values import Values


class Size(tuple):
    """The shape of a tensor: a tuple of integers."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"tapescope.Size({list(self)})"


class Tensor(Values):
    """A multi-dimensional array of one dtype that remembers how it was computed.

    Made by :func:`tapescope.tensor`, by creation functions and by operations. ``x.grad`` holds the gradient after
    ``loss.backward()`` if ``x.requires_grad`` and ``x`` is a leaf.

    Example:
        >>> import tapescope as ts
        >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    __slots__ = ("__dict__", "__weakref__", "_array", "_counter", "_edge", "_grad", "_site", "_view")
    __array_priority__ = 1000

    _array: ndarray
    _edge: Any
    _grad: Tensor | None
    _counter: Any
    _view: Any
    _site: Any

    if TYPE_CHECKING:  # what methods.py attaches

        def __getattr__(self, name: str) -> Any: ...

        __add__: Any
        __sub__: Any
        __mul__: Any
        __truediv__: Any
        __floordiv__: Any
        __mod__: Any
        __pow__: Any
        __matmul__: Any
        __radd__: Any
        __rsub__: Any
        __rmul__: Any
        __rtruediv__: Any
        __rpow__: Any
        __neg__: Any
        __invert__: Any
        __and__: Any
        __or__: Any
        __lt__: Any
        __le__: Any
        __gt__: Any
        __ge__: Any

    def __new__(cls, *data: Any, device: Any = None) -> Any:
        require(device)
        if not data:
            array = np.empty((0,), dtypes.default().dtype)
        elif len(data) == 1 and not isinstance(data[0], int):
            source = data[0]._array if isinstance(data[0], Tensor) else data[0]
            array = np.array(source, dtypes.default().dtype)
        else:
            array = np.zeros(data, dtypes.default().dtype)
        return wrap(array)

    @staticmethod
    def _wrap(array: ndarray) -> Tensor:
        """A tensor that shares ``array``, with no gradient."""
        return wrap(array)

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The sizes of its dimensions."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of its elements."""
        return dtypes.BY_NUMPY[self._array.dtype]

    @property
    def device(self) -> device:
        """Where its memory is."""
        return CPU

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes

    @property
    def is_cuda(self) -> bool:
        """Whether it lies on a GPU."""
        return False

    def size(self, dim: int | None = None) -> Any:
        """Its shape, or the size of one dimension."""
        return self.shape if dim is None else self._array.shape[dim]

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return self._array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Steps between elements, in elements: of all dimensions, or of one."""
        strides = tuple(s // self._array.itemsize for s in self._array.strides)
        return strides if dim is None else strides[dim]

    def is_contiguous(self) -> bool:
        """Whether its elements lie one after the other, in order."""
        return self._array.flags.c_contiguous

    def data_ptr(self) -> int:
        """The address of its first element."""
        return self._array.ctypes.data

    def is_floating_point(self) -> bool:
        """Whether its elements are real floating-point numbers."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether its elements are complex."""
        return self.dtype.is_complex

    # -- its place on the tape ---------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is wanted for it, or for something it was computed from."""
        return self._edge is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted:
            if self._edge is None:
                if self.dtype.category < dtypes.FLOAT:
                    raise DtypeError(
                        f"requires_grad: only floating-point tensors have gradients, this one is {self.dtype}."
                    )
                self._edge = Leaf(self)
        elif self._edge is not None:
            if not self.is_leaf:
                raise GradError("requires_grad: only a leaf can stop requiring grad.", hint="Use detach().")
            self._edge = None
            if self._counter is not None:
                self._counter.unfollowed = True  # its views were not kept account of: see view_of

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set :attr:`requires_grad`. Returns the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was not computed by recorded operations."""
        return self._edge is None or type(self._edge) is Leaf

    @property
    def grad_fn(self) -> Node | None:
        """The node that made it, or None for a leaf."""
        edge = self._edge
        return edge.node if type(edge) is Output else None if type(edge) is Leaf else edge

    @property
    def output_nr(self) -> int:
        """Which output of its node it is."""
        return self._edge.index if type(self._edge) is Output else 0

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward left here, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise DtypeError(f"grad: got {type(value).__name__}, expected a tensor or None.")
            if value._array.shape != self._array.shape:
                raise ShapeError(
                    f"grad: got shape {value._array.shape}, expected {self._array.shape}, as the tensor has."
                )
        self._grad = value

    @property
    def _version(self) -> int:
        return 0 if self._counter is None else self._counter.count

    @property
    def _base(self) -> Tensor | None:
        return None if self._view is None else inplace.base_of(self)

    def _is_view(self) -> bool:
        return self._view is not None

    def backward(self, gradient: Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False,
                 inputs: Any = None) -> None:  # fmt: skip
        """Add the gradient of this tensor to ``x.grad`` of every leaf ``x`` it was computed from.

        Args:
            gradient: of this tensor, in its shape; 1 if it has a single element.
            retain_graph: keep what the tape saved, for another backward.
            create_graph: record the gradients' own computation, for higher derivatives.
            inputs: only these leaves.

        Raises:
            GradError: nothing here requires grad, the tape was freed by an earlier backward, or the tensor has several
                elements and no ``gradient`` is given.
        """
        from .api import backward

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def detach(self) -> Tensor:
        """The same memory, cut from the tape."""
        t = wrap(self._array)
        t._counter = counter_of(self)
        return t

    def detach_(self) -> Tensor:
        """Cut this tensor from the tape. Returns it."""
        if self._view is not None:
            raise GradError("detach_: a view cannot be detached in place.", hint="Use detach().")
        self._edge = None
        return self

    @property
    def data(self) -> Tensor:
        """The same memory, cut from the tape; writing to it is not recorded, but is noticed by backward."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        inplace.set_data(self, value, sys._getframe(1))

    def retain_grad(self) -> None:
        """Keep the gradient in ``.grad`` although this is not a leaf."""
        if self._edge is None:
            raise GradError("retain_grad: this tensor does not require grad.")
        if self.is_leaf or self.retains_grad:
            return
        import weakref

        reference = weakref.ref(self)

        def keep(grad: Tensor) -> None:
            tensor = reference()
            if tensor is not None:
                tensor._grad = grad if tensor._grad is None else tensor._grad + grad

        keep.retains = True  # type: ignore[attr-defined]
        self._hooks().append(keep)

    @property
    def retains_grad(self) -> bool:
        """Whether :meth:`retain_grad` was called on it."""
        return any(getattr(hook, "retains", False) for hook in getattr(self._edge, "hooks", None) or ())

    def _hooks(self) -> list[Callable[..., Any]]:
        if self._edge.hooks is None:
            self._edge.hooks = []
        return self._edge.hooks

    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHandle:
        """Call ``hook(grad)`` whenever this tensor's gradient is computed; a returned tensor replaces it."""
        if self._edge is None:
            raise GradError("register_hook: this tensor does not require grad.")
        return RemovableHandle(self._hooks(), hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHandle:
        """Call ``hook(tensor)`` after a gradient was added to ``.grad`` of this leaf."""
        if type(self._edge) is not Leaf:
            raise GradError("register_post_accumulate_grad_hook: only leaves that require grad accumulate gradients.")
        if self._edge.post_hooks is None:
            self._edge.post_hooks = []
        return RemovableHandle(self._edge.post_hooks, hook)

    def _bump(self, frame: Any = None) -> None:
        """Note that the memory was changed by something other than an op."""
        inplace.stamp(self, frame or sys._getframe(1))

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return tensor_text(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self._array.ndim == 0 and spec else format(repr(self), spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise GradError("deepcopy: only leaves can be copied deeply.", hint="Use detach() or clone().")
        if id(self) in memo:
            return memo[id(self)]
        t = memo[id(self)] = self._twin(self._array.copy())
        if self._grad is not None:
            t._grad = self._grad.__deepcopy__(memo)
        return t

    def _twin(self, array: ndarray) -> Any:
        """A leaf of the same class around another array."""
        t = new(type(self))
        t._array = array
        t._edge = t._grad = t._counter = t._view = t._site = None
        t.__dict__.update(self.__dict__)
        if self._edge is not None:
            t._edge = Leaf(t)
        if _CREATED:
            notify(t)
        return t

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild, (type(self), self._array, self._edge is not None)

    # -- indexing --------------------------------------------------------------------------------------------------------

    def __getitem__(self, where: Any) -> Tensor:
        kind = type(where)
        if (kind is not slice or (where.step is not None and where.step < 1)) and kind is not int:
            plain, basic = index.plain_index(where)
            if basic:
                return apply_one(index.slice_op, self, (plain,), 2)
            steps = index.two_steps(plain)
            if steps is None:
                return apply_one(index.take_op, self, (plain,), 2)
            return apply_one(index.take_op, apply_one(index.slice_op, self, (steps[0],), 2), (steps[1],), 2)
        try:
            out = self._array[where, ...]
        except IndexError:
            return apply_one(index.slice_op, self, ((where,),), 2)
        return view_of(index.slice_op, self, out, ((where,), self._array.shape), sys._getframe(1))

    def __setitem__(self, where: Any, value: Any) -> None:
        frame = sys._getframe(1)
        plain, basic = index.plain_index(where)
        steps = None if basic else index.two_steps(plain)
        target = self
        if steps is not None:
            target, plain = apply_one(index.slice_op, self, (steps[0],), 2), steps[1]
        inplace.write(index.setitem_op, target, (value,), (plain,), frame)

    # -- other dtypes and devices -------------------------------------------------------------------------------------------

    def to(
        self, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, non_blocking: bool = False
    ) -> Tensor:
        """The tensor in another dtype or on another device; itself where nothing changes.

        Raises:
            DeviceError: the device is unknown or absent.

        Example:
            >>> import tapescope as ts
            >>> ts.tensor([1.7]).to(ts.int64)
            tensor([1])
        """
        for value in args:
            if isinstance(value, Tensor):
                dtype = value.dtype
            elif isinstance(value, (dtypes.dtype, type, np.dtype)):
                dtype = value
            elif value is not None and not isinstance(value, bool):  # a bool is non_blocking
                device = value
        require(device)
        if dtype is not None:
            wanted = dtypes.as_dtype(dtype).dtype
            if wanted != self._array.dtype:
                if self._edge is not None and dtypes.category_of(wanted) < dtypes.FLOAT:
                    return wrap(self._array.astype(wanted))
                return elementwise.cast(self, wanted)
        return elementwise.clone(self) if copy else self

    def cpu(self) -> Tensor:
        """The tensor in the computer's own memory."""
        return self

    def cuda(self, device: Any = None) -> Tensor:
        """The tensor on a GPU."""
        return self.to(device="cuda" if device is None else device)

    def type(self, dtype: Any = None) -> Any:
        """The tensor in another dtype; without one, the name of its type."""
        return f"tapescope.{self.dtype.name}" if dtype is None else self.to(dtypes.as_dtype(dtype))

    def type_as(self, other: Tensor) -> Tensor:
        """The tensor in the dtype of ``other``."""
        return self.to(other.dtype)


def _rebuild(kind: Any, array: ndarray, requires_grad: bool) -> Any:
    t = new(kind)
    t._array = array
    t._edge = t._grad = t._counter = t._view = t._site = None
    if requires_grad:
        t._edge = Leaf(t)
    return t


bind(Tensor)
