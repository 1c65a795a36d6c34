"""Small data sets that need no download: real handwritten digits, and made-up points in the plane."""

from .digits import Digits, digits
from .points import Points, spirals, two_moons

__all__ = ["Digits", "Points", "digits", "spirals", "two_moons"]
