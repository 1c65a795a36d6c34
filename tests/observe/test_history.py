"""A history keeps its width and its first column, however long the run."""

import numpy as np
from tapescope.observe.history import History


def test_columns_merge_two_by_two():
    history = History(2, columns=4)
    for step in range(5):
        history.add([step, step])
    rows = history.rows()
    assert rows[0].tolist() == [0, 3, 4]  # the first stays first; then the later of each two
    assert rows[1].tolist() == [0.5, 2.5, 4]


def test_axis_grows_and_never_jumps():
    history = History(2, columns=240)
    last = -1.0
    for step in range(5000):
        history.add([step, 1.0])
        rows = history.rows()
        assert rows.shape[1] <= 240 and rows[0, 0] == 0 and rows[0, -1] == step
        assert (np.diff(rows[0]) > 0).all()
        last = max(last, rows[0, -1])
    assert rows.shape[1] >= 120 and np.allclose(rows[1], 1)


def test_what_is_missing_does_not_count():
    history = History(2, columns=2)
    for step, value in enumerate([1.0, np.nan, np.nan, 3.0]):
        history.add([step, value])
    assert history.rows()[1].tolist() == [1.0, 3.0]


def test_peaks_survive_merging():
    history = History(2, merge="max", columns=4)
    for step in range(100):
        history.add([step, 7.0 if step == 33 else 1.0])
    assert history.rows()[1].max() == 7.0
