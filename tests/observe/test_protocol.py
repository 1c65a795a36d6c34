"""The golden snapshots keep the shape that observe makes."""

import json
from pathlib import Path

import pytest
from observe.schema import check

GOLDEN = Path(__file__).resolve().parent.parent / "protocol"


@pytest.mark.parametrize("name", ["tape", "gradients", "memory"])
def test_golden(name):
    data = json.loads((GOLDEN / f"{name}.json").read_text())
    assert data["message"]["view"] == name
    check(data["message"], data["buffers"].get("history"))
