"""What a flow returns: a small record, and whether all that was asked for was done."""

from __future__ import annotations

import logging
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

from model.settings import Record

MOST_CHARACTERS = 10_000
"""Of an outcome in a log; a diff of two versions can be long."""


class Outcome(Record):
    """Base of every flow's result; printed as one JSON object."""

    @property
    def exit_code(self) -> int:
        """0 only when all that was asked for is done."""
        return 0


def tell_outcome(flow: Flow[..., Outcome], flow_run: FlowRun, state: State[Any]) -> None:
    """Prefect hook: what the flow returned, as a line of its run's log; an error where not all is done."""
    outcome: Outcome = state.result()
    level = logging.ERROR if outcome.exit_code else logging.INFO
    flow_run_logger(flow_run, flow).log(level, outcome.model_dump_json()[:MOST_CHARACTERS])
