"""Where task runs go: to Prefect inside a flow run, to plain threads when no server is configured."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from prefect import Flow, Task
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings

S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Result(Protocol[T_co]):
    """A task run's future."""

    def result(self) -> T_co:
        """Wait for it and return what it returned."""

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Call `fn` with this future once it is done."""


def server_configured() -> bool:
    """Whether a Prefect server is named by PREFECT_API_URL or the active profile."""
    return bool(get_current_settings().api.url)


def call_flow(flow: Flow[[S], T], settings: S) -> T:
    """Run a flow: as a Prefect flow run where a server is configured, as a plain function otherwise."""
    return flow(settings) if server_configured() else flow.fn(settings)


class Schedule:
    """Submits task runs; `workers` of them run at once.

    Submit breadth first (all shards of a stage, then the next stage): a run waits in its thread for the
    runs whose futures it takes, here as in Prefect's thread runner.
    """

    def __init__(self, workers: int) -> None:
        self._threads = None if FlowRunContext.get() else ThreadPoolExecutor(workers)

    def submit(self, task: Task[..., T], *args: Any, **kwargs: Any) -> Result[T]:
        """Start a task run; arguments may be futures of earlier ones."""
        if self._threads is None:
            future: Result[T] = task.submit(*args, **kwargs)
            return future
        return self._threads.submit(_run, task.fn, args, kwargs)

    def when_done(self, result: Result[T], tell: Callable[[T], None]) -> None:
        """Call `tell` with what a task run returned, once it has; not at all if it failed."""

        def done(future: Any) -> None:
            if isinstance(future, Future):
                failed = future.cancelled() or future.exception() is not None
            else:
                failed = not future.state.is_completed()
            if not failed:
                tell(future.result())

        result.add_done_callback(done)

    def close(self) -> None:
        """Drop what has not started and wait for what runs."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)


def _run(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    return function(*map(_resolved, args), **{name: _resolved(a) for name, a in kwargs.items()})


def _resolved(argument: Any) -> Any:
    return argument.result() if isinstance(argument, Future) else argument
