"""Where task runs go: to Prefect inside a flow run, to plain threads when no server is configured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from inspect import signature
from typing import Any, Protocol, TypeVar

from prefect import Flow, Task, get_run_logger
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks.engine.worker_pool import interrupt_workers

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


def flow_log() -> Callable[[str], None] | None:
    """Writes lines to the log of the running flow, from any thread; None outside a flow run."""
    return get_run_logger().info if FlowRunContext.get() else None


class Schedule:
    """Submits task runs; `workers` of them run at once.

    Submit breadth first (all shards of a stage, then the next stage): a run waits in its thread for the
    runs whose futures it takes, here as in Prefect's thread runner, and those are before it in the queue.
    """

    def __init__(self, workers: int) -> None:
        self._submitted: list[Result[Any]] = []
        self._open = ExitStack()
        self._runner = self._task_runner(workers)
        self._threads = ThreadPoolExecutor(workers)
        self._open.callback(self._threads.shutdown, cancel_futures=True)

    def _task_runner(self, workers: int) -> TaskRunner[Any] | None:
        """Prefect's, inside a flow run: Dask or Ray as the flow was given them, else threads of our own."""
        flow_run = FlowRunContext.get()
        if flow_run is None:
            return None
        if not isinstance(flow_run.task_runner, ThreadPoolTaskRunner):
            return flow_run.task_runner
        # The flow's own threads were counted before it saw its settings.
        return self._open.enter_context(ThreadPoolTaskRunner(max_workers=workers))

    def submit(self, task: Task[..., T], *args: Any, **kwargs: Any) -> Result[T]:
        """Start a task run; arguments may be futures of earlier ones."""
        future: Result[T]
        if self._runner is None:
            future = self._threads.submit(_run, task.fn, args, kwargs)
        else:
            future = self._runner.submit(task, dict(signature(task.fn).bind(*args, **kwargs).arguments))
        self._submitted.append(future)
        return future

    def collect(self, results: Sequence[Result[T]]) -> list[T]:
        """Wait for every run, then give what `results` returned.

        The first failure is raised as it was; of a run that waited for it Prefect says only that it
        never ran.
        """
        for submitted in self._submitted:
            submitted.result()
        return [result.result() for result in results]

    def when_done(self, result: Result[T], tell: Callable[[T], None]) -> None:
        """Call `tell` with what a task run returned, once it has; not at all if it failed."""

        def done(future: Result[T]) -> None:
            # Asked for its state here, a Prefect future asks the server, which does not know it yet.
            try:
                returned = future.result()
            except Exception:  # collect raises it
                return
            tell(returned)

        result.add_done_callback(done)

    def abandon(self) -> None:
        """Drop what has not started and, where the threads are our own, end the jobs that run."""
        if self._runner is None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            interrupt_workers()

    def close(self) -> None:
        """Drop what has not started and wait for what runs."""
        self._open.close()


def _run(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    return function(*map(_resolved, args), **{name: _resolved(a) for name, a in kwargs.items()})


def _resolved(argument: Any) -> Any:
    return argument.result() if isinstance(argument, Future) else argument
