"""The examples in the docs of the ops run, and give what they say."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
import tapescope as ts
from tapescope.autograd import functions, methods
from tapescope.nn import functional

DOCUMENTED = {
    f"{module.__name__.rsplit('.', 1)[1]}.{name}": getattr(module, name)
    for module in (functions, functional)
    for name in module.__all__
    if callable(getattr(module, name))
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_example_runs(name: str) -> None:
    function = DOCUMENTED[name]
    assert function.__doc__, f"{name} has no docstring"
    parser = doctest.DocTestParser()
    test = parser.get_doctest(function.__doc__, {}, name, None, 0)
    assert test.examples, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False)
    out: list[str] = []
    runner.run(test, out=out.append)
    assert not runner.failures, "".join(out)


@pytest.mark.parametrize("name", [f.__name__ for f in (*methods.UNARY, *methods.BINARY, *methods.FUNCTIONS)])
def test_functions_are_methods(name: str) -> None:
    member: Any = getattr(ts.Tensor, name)
    assert callable(member) and member.__doc__
