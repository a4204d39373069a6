"""Build a dataset version from clips and studio captures (paper 5.1, 7.3)."""

from __future__ import annotations

from pathlib import Path

from flows.outcome import Outcome, goal
from tasks import dag
from tasks.dataset.build import Build, count_rows, open_build, publish_version, run_stages, scan
from tasks.dataset.settings import BuildSettings
from tasks.engine.schedule import call_task, flow_log
from tasks.progress import StageProgress
from tasks.reasons import Reason
from tasks.store.versions import Published


class BuiltDataset(Outcome):
    """What a build made."""

    name: str
    version: str
    """Merkle root of the rows."""
    number: int
    changed: bool
    """False: nothing changed, and the latest version is what this build would publish."""
    published: int
    quarantined: dict[str, int]
    """Sources by reason."""
    store: Path

    @property
    def exit_code(self) -> int:
        """1 where no clip was published, or where one failed by the machine's fault and not its own."""
        unfinished = {Reason.TIMEOUT, Reason.CRASHED} & self.quarantined.keys()
        return int(self.published == 0 or bool(unfinished))

    @property
    def nothing_changed(self) -> bool:
        """Whether the latest version is what this build would publish."""
        return not self.changed


@goal("build-dataset {settings.name}")
def build_dataset(settings: BuildSettings) -> BuiltDataset:
    """Turn clips and studio captures into one immutable dataset version.

    Every source goes through the chain of its kind (tasks/dag.py), shard by shard:

    wild: scan -> pack -> probe -> resample -> landmarks -> crop -> focal -> fit -> sound -> depth -> speech
    -> publish

    studio: scan -> undistort -> depth -> publish
    """
    catalogue = call_task(scan, settings)
    with open_build(settings, catalogue) as build, StageProgress(log=flow_log()) as progress:
        unchanged = build.unchanged
        if unchanged:
            progress.say("nothing changed: every source, setting, module, model and tool is the same")
            return _built(build, unchanged)
        clips = run_stages(build, (dag.WILD, dag.STUDIO), progress)
        return _built(build, call_task(publish_version, build, clips))


def _built(build: Build, version: Published) -> BuiltDataset:
    published, quarantined = count_rows(build.store, build.settings.name, version.number)
    return BuiltDataset(
        name=build.settings.name,
        version=version.root,
        number=version.number,
        changed=version.changed,
        published=published,
        quarantined=quarantined,
        store=build.store.root,
    )
