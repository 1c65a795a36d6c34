"""Devices by name. Called wherever the user gives ``device=``; probes nothing until a device is used."""

from __future__ import annotations

from typing import Any

from ..errors import DeviceError

KNOWN = ("cpu", "cuda", "meta")


class device:
    """A place for tensors, as in PyTorch: ``ts.device("cpu")``.

    Raises:
        DeviceError: no device has that name.

    Example:
        >>> import tapescope as ts
        >>> ts.device("cpu")
        device(type='cpu')
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        name, _, number = str(type).partition(":")
        if name not in KNOWN or (number and not number.isdigit()):
            raise DeviceError(f"unknown device {type!r}: expected 'cpu', or 'cuda' with an optional index ('cuda:0').")
        self.type, self.index = name, int(number) if number else index

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            other = device(other)
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (")" if self.index is None else f", index={self.index})")

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


CPU = device("cpu")


def require(wanted: Any) -> device:
    """The device meant by ``wanted``, made sure that tensors can be put there.

    Raises:
        DeviceError: the name is unknown, or this machine or version has no such device.
    """
    if wanted is None:
        return CPU
    found = wanted if isinstance(wanted, device) else device(wanted)
    if found.type != "cpu":
        raise DeviceError(
            f"device '{found}' is not available: this version of Tapescope computes on 'cpu'.",
            hint="Leave device= out, or pass device='cpu'.",
        )
    return found
