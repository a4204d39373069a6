"""Where task runs go: to Prefect inside a flow run, to plain threads where no server is configured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from inspect import signature
from typing import Any, Protocol, TypeVar, cast

from prefect import Flow, Task, get_run_logger
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from tasks.engine.worker_pool import interrupt_workers

S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Result(Protocol[T_co]):
    """Future of a task run."""

    def result(self) -> T_co:
        """Wait for the run and return its result."""

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Call `fn` with this future once the run is done."""


def server_configured() -> bool:
    """Whether PREFECT_API_URL or the active Prefect profile names a server."""
    return bool(get_current_settings().api.url)


def call_flow(flow: Flow[[S], T], settings: S) -> T:
    """Run a flow: as a Prefect flow run if a server is configured, as a plain function otherwise.

    A flow run that ends Failed with a result instead of an exception did its work, but not all of it: the
    result is returned, and the caller decides.
    """
    if not server_configured():
        return flow.fn(settings)
    result: Any = flow(settings, return_state=True).result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return cast(T, result)


def call_task(task: Task[..., T], *arguments: Any) -> T:
    """Run a task: as a Prefect task run inside a flow run, as a plain function otherwise."""
    if FlowRunContext.get() is None:
        return task.fn(*arguments)
    # quoted: else Prefect searches every clip in them for futures
    return task(*map(quote, arguments))


def flow_log() -> Callable[[str], None] | None:
    """Return a function that writes to the log of the flow, from any thread; None outside a flow run."""
    return get_run_logger().info if FlowRunContext.get() else None


class Schedule:
    """Submit task runs, of which `workers` run at once.

    Submit breadth first: all shards of a stage, then the next stage. A run occupies its thread while it
    waits for the runs whose futures it takes, here as in Prefect's thread runner: those must come before it.
    """

    def __init__(self, workers: int) -> None:
        self._submitted: list[Result[Any]] = []
        self._open = ExitStack()
        self._runner = self._task_runner(workers)
        self._threads = ThreadPoolExecutor(workers)
        self._open.callback(self._threads.shutdown, cancel_futures=True)

    def _task_runner(self, workers: int) -> TaskRunner[Any] | None:
        """The task runner inside a flow run: the flow's Dask or Ray runner, else a new pool of threads."""
        flow_run = FlowRunContext.get()
        if flow_run is None:
            return None
        if not isinstance(flow_run.task_runner, ThreadPoolTaskRunner):
            return flow_run.task_runner
        # The flow's own threads were counted before it saw its settings.
        return self._open.enter_context(ThreadPoolTaskRunner(max_workers=workers))

    def submit(self, task: Task[..., T], *args: Any, **kwargs: Any) -> Result[T]:
        """Start a task run; arguments may be futures of earlier runs."""
        future: Result[T]
        if self._runner is None:
            future = self._threads.submit(_run, task.fn, args, kwargs)
        else:
            future = self._runner.submit(task, dict(signature(task.fn).bind(*args, **kwargs).arguments))
        self._submitted.append(future)
        return future

    def collect(self, results: Sequence[Result[T]]) -> list[T]:
        """Wait for every run, then return the results of `results`.

        The first failure is raised as it was. Of the runs that waited for the failed one, Prefect would say
        only that they never ran.
        """
        for submitted in self._submitted:
            submitted.result()
        return [result.result() for result in results]

    def when_done(self, result: Result[T], tell: Callable[[T], None]) -> None:
        """Call `tell` with the result of a task run once it is done; a run that failed is not reported."""

        def done(future: Result[T]) -> None:
            # Asked for its state here, a Prefect future asks the server, which does not know it yet.
            try:
                returned = future.result()
            except Exception:  # collect raises it
                return
            tell(returned)

        result.add_done_callback(done)

    def abandon(self) -> None:
        """Drop the runs that have not started; end running jobs if their threads belong to this schedule."""
        if self._runner is None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            interrupt_workers()

    def close(self) -> None:
        """Drop the runs that have not started and wait for those that run."""
        self._open.close()


def _run(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    return function(*map(_resolved, args), **{name: _resolved(a) for name, a in kwargs.items()})


def _resolved(argument: Any) -> Any:
    return argument.result() if isinstance(argument, Future) else argument
