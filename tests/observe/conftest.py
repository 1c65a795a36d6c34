"""No test leaves a view behind for the next."""

import pytest
from tapescope.observe.live import CONDUCTOR


@pytest.fixture(autouse=True)
def no_views_left():
    yield
    for view in list(CONDUCTOR.views):
        view.close()
    CONDUCTOR.settle()
