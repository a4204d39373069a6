"""Train one stage of a folder to its end, continuing where it was interrupted, and save the result."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from model.training.profiles import StageName
from model.training.trainer import train
from tasks.training.callback import ProgressCallback
from tasks.training.open_training import Training
from tasks.training.processes import processes
from tasks.training.run_folder import StageRecord, tool_versions
from tasks.training.stages import find_stage
from tasks.training.training_stage import StagePlan, TrainingStage


@task(task_run_name="train {stage}", cache_policy=NO_CACHE, persist_result=False)
def train_stage(stage: StageName, training: Training) -> StageRecord:
    """Train a stage unless it is finished, and return its record.

    Raises:
        ValueError: the version lacks what the stage needs, or networks it starts from were changed.
    """
    done = training.folder.record(stage)
    if done is not None:
        return done
    chosen = find_stage(stage)
    training.folder.check_weights("autoencoder")
    if chosen.after is not None:
        training.folder.check_weights(chosen.after)
    plan = chosen.plan(chosen, training)
    record = _train(chosen, training, plan)
    state = processes()
    if state.is_main_process:
        record = chosen.save(training, plan, record)
    state.wait_for_everyone()
    return record


def _train(stage: TrainingStage, training: Training, plan: StagePlan) -> StageRecord:
    """Run the trainer; the record does not name saved networks yet."""
    folder, settings = training.folder, training.profile.trainer(stage.name)
    validate = stage.validate if processes().is_main_process else None
    with ProgressCallback(
        stage.name,
        logs=folder.root / "logs" / stage.name,
        steps=settings.steps,
        progress=training.progress,
        validate=None if validate is None else validate(training, plan),
    ) as callback:
        finished = train(
            plan.step,
            data=plan.data,
            order=plan.order,
            settings=settings,
            folder=folder.checkpoints(stage.name),
            callback=callback,
            facts={"stage": stage.name, "training": training.facts.recorded()},
        )
    return StageRecord(
        stage=stage.name,
        training=training.facts,
        steps=finished.steps,
        weights={},
        tools=tool_versions(),
        notices=training.notices,
    )
