"""The 1,797 handwritten digits of the UCI optical recognition set, bundled with the package.

Called by the user and the tutorials. Invariant: images and labels keep the order of their source; the splits are fixed by
their seed alone.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..errors import DataError
from .labelled import Labelled

FILE = Path(__file__).with_name("data") / "digits.npz"
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"  # of the two arrays' bytes


class Digits(Labelled):
    """Images of handwritten digits with their labels.

    Attributes:
        images: (n, 8, 8) float32, 0 (paper) to 1 (ink).
        labels: (n,) int64, 0 to 9.
        classes: the names of the ten classes.
    """

    classes = tuple("0123456789")

    @property
    def images(self) -> Tensor:
        """The images, (n, 8, 8) float32."""
        return self.inputs

    def __repr__(self) -> str:
        return f"Digits({len(self)} images of 8x8 pixels, 10 classes)"


def digits(train: bool | None = None) -> Digits:
    """Handwritten digits: 1,797 images of 8x8 pixels, written by 13 people.

    Args:
        train: None gives all; True the 1,438 images of a fixed random split, False the 359 held out from it.

    Returns:
        A data set of (image (8, 8) float32 in 0..1, label int64).

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
    https://doi.org/10.24432/C50P49, CC BY 4.0.

    >>> import tapescope as ts
    >>> data = ts.datasets.digits()
    >>> len(data), data.images.shape, data.labels[:5].tolist()
    (1797, tapescope.Size([1797, 8, 8]), [0, 1, 2, 3, 4])
    """
    pixels, labels = _arrays()
    images = (pixels / np.float32(16)).astype(np.float32)
    everything = Digits(Tensor._wrap(images), Tensor._wrap(labels.astype(np.int64)))
    if train is None:
        return everything
    return everything.split()[0 if train else 1]


@cache
def _arrays() -> tuple[Any, Any]:
    """The bundled pixels (uint8, 0..16) and labels (uint8), checked against their checksum."""
    try:
        with np.load(FILE, allow_pickle=False) as file:
            pixels, labels = file["images"], file["labels"]
    except Exception as error:
        raise DataError(
            f"digits: the bundled file {FILE} cannot be read ({type(error).__name__}: {error}).",
            hint="Install Tapescope again.",
        ) from error
    if hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest() != SHA256:
        raise DataError(f"digits: the bundled file {FILE} was changed.", hint="Install Tapescope again.")
    return pixels, labels
