"""Goals: flows that return an outcome, and whose final state in Prefect says whether all was done."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from prefect import Flow, flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.logging.loggers import flow_run_logger
from prefect.states import Completed, Failed
from pydantic import BaseModel

from model.settings import Record

MOST_CHARACTERS = 10_000
"""Largest length of an outcome in a log; a diff of two versions can be longer."""


class Outcome(Record):
    """Base of the results of all flows; the command line prints it as one JSON object."""

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 0 only if everything requested is done."""
        return 0

    @property
    def nothing_changed(self) -> bool:
        """Whether everything was up to date, so that the flow did nothing."""
        return False


S = TypeVar("S", bound=BaseModel)
OutcomeT = TypeVar("OutcomeT", bound=Outcome)


def goal(run_name: str) -> Callable[[Callable[[S], OutcomeT]], Flow[[S], OutcomeT]]:
    """Make a flow of a function of its settings that returns an outcome.

    Inside a flow run the outcome decides the final state: Failed if the exit code is not 0, so that
    automations can react, and Completed under the name "Nothing changed" if the flow did nothing.

    Args:
        run_name: name of a flow run, a format string over `settings`.
    """

    def decorate(function: Callable[[S], OutcomeT]) -> Flow[[S], OutcomeT]:
        @functools.wraps(function)
        def run(settings: S) -> Any:
            outcome = function(settings)
            return outcome if FlowRunContext.get() is None else final_state(outcome)

        # Prefect builds the parameter form from the signature, in whose module the names of types are known
        run.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]
        make = flow(
            name=function.__name__.replace("_", "-"),
            flow_run_name=run_name,
            persist_result=False,
            on_completion=[tell_outcome],
            on_failure=[tell_outcome],
        )
        return make(run)

    return decorate


def final_state(outcome: Outcome) -> State[Any]:
    """Return the state that a flow run with this outcome ends in; the outcome is its data."""
    if outcome.exit_code:
        return Failed(message="not everything that was asked for is done; see the outcome", data=outcome)
    return Completed(name="Nothing changed" if outcome.nothing_changed else None, data=outcome)


def tell_outcome(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Prefect hook: log the outcome of a run as one line, as an error if the exit code is not 0."""
    outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, Outcome):
        level = logging.ERROR if outcome.exit_code else logging.INFO
        flow_run_logger(flow_run, flow).log(level, outcome.model_dump_json()[:MOST_CHARACTERS])
