import itertools
import threading
import time

import pytest

from striate.data.threads import AUTOTUNE, ahead, side_by_side, worker_count


def running(name):
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


@pytest.mark.parametrize("count", [1, 2, 100])
def test_ahead_keeps_order(count):
    assert list(ahead(iter(range(50)), count)) == list(range(50))
    assert not running("striate-prefetch")


def test_ahead_reads_before_it_is_asked():
    read = []
    elements = ahead((read.append(number) or number for number in range(10)), 3)
    assert next(elements) == 0
    deadline = time.monotonic() + 5
    while len(read) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(read) == 5  # one taken, three ready, one in hand
    elements.close()


def test_ahead_hands_errors_over_in_their_place():
    def broken():
        yield 1
        yield 2
        raise OSError("disk gone")

    elements = ahead(broken(), 10)
    assert [next(elements), next(elements)] == [1, 2]
    with pytest.raises(OSError, match="disk gone"):
        next(elements)
    assert not running("striate-prefetch")


@pytest.mark.parametrize("taken", [1, 5])
def test_ahead_ends_its_thread_when_the_consumer_stops(taken):
    closed = threading.Event()

    def source():
        try:
            yield from itertools.count()
        finally:
            closed.set()

    elements = ahead(source(), 2)
    assert list(itertools.islice(elements, taken)) == list(range(taken))
    assert running("striate-prefetch")
    elements.close()
    assert closed.is_set()
    assert not running("striate-prefetch")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_side_by_side_keeps_order(workers):
    def slow(number):
        time.sleep(0.002 * (number % 3))
        return number * 10

    assert list(side_by_side(slow, range(20), workers)) == [number * 10 for number in range(20)]
    assert not running("striate-map")


def test_side_by_side_works_on_several_at_once():
    together = threading.Barrier(3, timeout=10)
    assert list(side_by_side(lambda number: together.wait() >= 0, range(3), 3)) == [True] * 3


def test_side_by_side_hands_errors_over_and_ends():
    results = side_by_side(lambda number: 1 // (3 - number), range(10), 2)
    assert list(itertools.islice(results, 3)) == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not running("striate-map")


def test_side_by_side_reads_no_further_than_it_must():
    read = []
    results = side_by_side(lambda number: number, (read.append(n) or n for n in itertools.count()), 2)
    assert next(results) == 0
    assert len(read) == 4
    results.close()
    assert not running("striate-map")


def test_worker_count():
    assert worker_count(3) == 3
    assert 1 <= worker_count() == worker_count(AUTOTUNE) == worker_count(None) <= 8
