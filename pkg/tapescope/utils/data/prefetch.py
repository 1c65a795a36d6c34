"""Prefetching: jobs run ahead of the loop on threads, their results come in order.

Called by `dataloader.DataLoader`. Invariant: at most `ahead` results wait at any time, and the threads have ended when
the generator has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

END: Any = object()  # a job's result that ends the iteration


def prefetch(jobs: Iterable[Callable[[], Any]], workers: int, ahead: int) -> Iterator[Any]:
    """The results of `jobs` in order, up to `ahead` of them being made by `workers` threads.

    Leaving the loop early (break, an exception, an interrupt) closes the generator: what has not begun is dropped.
    After an interrupt the threads are not waited for, so that a stuck sample cannot hold the notebook.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="tapescope-loader")
    waiting: deque[Future] = deque()
    wait = True
    upcoming = iter(jobs)
    try:
        while True:
            waiting.extend(pool.submit(job) for job in islice(upcoming, ahead - len(waiting)))
            if not waiting or (result := waiting.popleft().result()) is END:
                return
            yield result
    except KeyboardInterrupt:
        wait = False
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)
