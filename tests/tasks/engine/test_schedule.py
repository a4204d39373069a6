"""Without a server task runs are plain calls in threads, in the order they were submitted."""

from __future__ import annotations

import threading

import pytest
from prefect import flow, task

from tasks.engine.schedule import Schedule, call_flow, server_configured


@task
def double(number: int, *, after: int = 0) -> int:
    return 2 * number + after


@task
def fail(number: int) -> int:
    raise ValueError(f"cannot do {number}")


@pytest.fixture
def schedule():
    schedule = Schedule(2)
    yield schedule
    schedule.close()


def test_futures_are_arguments(schedule: Schedule) -> None:
    first = schedule.submit(double, 1)
    second = schedule.submit(double, first, after=first)
    assert schedule.collect([first, second]) == [2, 6]


def test_one_thread_is_enough_for_a_chain() -> None:
    schedule = Schedule(1)
    result = schedule.submit(double, 1)
    for _ in range(20):
        result = schedule.submit(double, result)
    assert schedule.collect([result]) == [2**21]
    schedule.close()


def test_the_first_failure_is_raised_as_it_was(schedule: Schedule) -> None:
    failed = schedule.submit(fail, 3)
    after = schedule.submit(double, failed)
    with pytest.raises(ValueError, match="cannot do 3"):
        schedule.collect([after])


def test_only_success_is_told(schedule: Schedule) -> None:
    told: list[int] = []
    failed, fine = schedule.submit(fail, 3), schedule.submit(double, 3)
    for result in (failed, fine):
        schedule.when_done(result, told.append)
    fine.result()
    schedule.close()
    assert told == [6]


def test_no_more_run_at_once_than_workers() -> None:
    gate, running, most = threading.Barrier(2), [0], [0]
    lock = threading.Lock()

    @task
    def meet() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(timeout=30)
        with lock:
            running[0] -= 1

    schedule = Schedule(2)
    schedule.collect([schedule.submit(meet) for _ in range(6)])
    schedule.close()
    assert most == [2]


def test_what_is_abandoned_does_not_start() -> None:
    started, go = threading.Event(), threading.Event()
    ran: list[int] = []

    @task
    def block() -> None:
        started.set()
        go.wait(timeout=30)

    @task
    def note() -> None:
        ran.append(1)

    schedule = Schedule(1)
    schedule.submit(block)
    schedule.submit(note)
    assert started.wait(timeout=30)
    schedule.abandon()
    go.set()
    schedule.close()
    assert ran == []


def test_without_a_server_a_flow_is_a_plain_call() -> None:
    assert not server_configured()

    @flow
    def never_recorded(number: int) -> int:
        return number + 1

    assert call_flow(never_recorded, 1) == 2
