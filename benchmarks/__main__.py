"""``python -m benchmarks``: ratios against PyTorch, in alternating rounds of one run.

python -m benchmarks                 everything
python -m benchmarks a b             some parts: a operations, b digits, c import, d live views
python -m benchmarks --rounds 21     more rounds
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
from typing import Any

THREADS = 2


def machine() -> str:
    """What the figures were measured on."""
    import numpy

    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {numpy.__version__}"


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=["a", "b", "c", "d", []], help="a, b, c or d; all if none is named")
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args(arguments)
    parts = options.parts or ["a", "b", "c", "d"]
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    with_torch = importlib.util.find_spec("torch") is not None
    print(machine())
    from . import digits, imports, operations, views

    if "c" in parts:
        imports.run(max(5, options.rounds // 2), with_torch)
    torch: Any = None
    if with_torch and set(parts) & {"a", "b"}:
        import torch

        torch.set_num_threads(THREADS)
        print(
            f"\nPyTorch {torch.__version__}, {THREADS} threads, {options.rounds} rounds; a ratio below 1 means faster"
        )
    elif not with_torch:
        print("PyTorch is not installed, so there is nothing to compare with (its CPU build: see CONTRIBUTING.md)")
    if "a" in parts:
        operations.run(options.rounds, torch)
    if "b" in parts:
        digits.run(options.rounds, torch)
    if "d" in parts:
        views.run(options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
