"""Outcome of a flow: a small record with the exit code of the command."""

from __future__ import annotations

import logging
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

from model.settings import Record

MOST_CHARACTERS = 10_000
"""Largest length of an outcome in a log; a diff of two versions can be longer."""


class Outcome(Record):
    """Base of the results of all flows; the command line prints it as one JSON object."""

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 0 only if everything requested is done."""
        return 0


def tell_outcome(flow: Flow[..., Outcome], flow_run: FlowRun, state: State[Any]) -> None:
    """Prefect hook: log the outcome of a run as one line, as an error if the exit code is not 0."""
    outcome: Outcome = state.result()
    level = logging.ERROR if outcome.exit_code else logging.INFO
    flow_run_logger(flow_run, flow).log(level, outcome.model_dump_json()[:MOST_CHARACTERS])
