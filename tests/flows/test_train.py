"""Training from the command: what it leaves, what it refuses, and that a killed one loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from flows.train import TrainSettings, train
from tasks.engine.run_stage import RunSettings
from tasks.store.blobs import CorruptBlob, Store, file_digest
from tasks.store.versions import read_rows
from tasks.training.run_folder import RunFolder
from tests.conftest import REPOSITORY, Trained
from tests.small_training import NAME, NOTICE, publish_toys, toy_profile, write_profile

STAGES = ("autoencoder", "joint", "inpaint", "motion")


def test_all_stages_end_with_networks_and_pipelines(trained: Trained) -> None:
    assert trained.outcome.stages == dict.fromkeys(STAGES, 4)
    assert trained.outcome.changed
    for stage in STAGES:
        record = RunFolder(trained.out).record(stage)
        assert record is not None
        assert record.weights
        assert all((trained.out / stage / name).is_file() for name in record.weights)
    unsafe = [
        path for path in trained.out.rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".pth", ".ckpt")
    ]
    assert unsafe == []


def test_saved_pipelines_need_no_dataset_and_no_trainer(trained: Trained) -> None:
    pipeline = DiffusionPipeline.from_pretrained(trained.out / "pipeline")
    made = pipeline(
        image=torch.rand(2, 3, 16, 16), num_inference_steps=2, generator=torch.Generator().manual_seed(0)
    )
    assert made.depth_code.shape == (2, 16, 16)
    video = DiffusionPipeline.from_pretrained(trained.out / "video_pipeline")
    frames = list(video(torch.rand(1, 3, 16, 16), torch.zeros(9 * 640), num_inference_steps=1))
    assert len(frames) == 9


def test_what_is_untrained_or_synthetic_is_said_with_the_weights(trained: Trained) -> None:
    origin = json.loads((trained.out / "pipeline" / "training.json").read_text())
    assert origin["stage"] == "inpaint"
    assert NOTICE in origin["notices"]
    assert any("trained from nothing" in notice for notice in origin["notices"])
    assert trained.outcome.notices == tuple(origin["notices"])


def test_what_is_saved_names_no_folder_of_this_machine(trained: Trained) -> None:
    """Libraries note where a network was loaded from; the same training elsewhere had other digests."""
    told = [path for path in trained.out.rglob("*.json") if str(trained.out.parent) in path.read_text()]
    assert told == []


def test_latents_of_all_have_unit_variance(trained: Trained) -> None:
    """The scaling factor is fitted after the VAE is trained, and saved with it."""
    config = json.loads((trained.out / "autoencoder" / "vae" / "config.json").read_text())
    assert config["scaling_factor"] not in (1.0, 0.18215)


def test_losses_of_each_modality_are_in_the_board(trained: Trained) -> None:
    board = EventAccumulator(str(trained.out / "logs" / "joint"))
    board.Reload()
    assert {"loss/total", "loss/rgb", "loss/depth"} <= set(board.Tags()["scalars"])
    assert [event.step for event in board.Scalars("loss/rgb")] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("stage", "name", "rows", "columns"),
    [
        ("joint", "ground truth, generated, estimated", 4, 2),
        ("inpaint", "ground truth, generated, estimated", 5, 2),
        ("motion", "ground truth, generated", 4, 4),
    ],
)
def test_fixed_samples_are_in_the_board(
    trained: Trained, stage: str, name: str, rows: int, columns: int
) -> None:
    """Ground truth and generated RGB and depth, from stage 2 on also estimated depth; of motion by frame."""
    board = EventAccumulator(str(trained.out / "logs" / stage))
    board.Reload()
    assert board.Tags()["images"] == [name]
    assert [event.step for event in board.Images(name)] == [2, 4]
    sheets = [np.asarray(Image.open(BytesIO(event.encoded_image_string))) for event in board.Images(name)]
    assert sheets[0].shape == (rows * 16, columns * 16, 3)
    known, made = (sheets[0][:32] == sheets[1][:32]), (sheets[0][32:] == sheets[1][32:])
    assert known.all()
    assert not made.all()


def test_a_finished_training_is_left_as_it_is(trained: Trained) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.out.rglob("*") if path.is_file()}
    again = train.fn(trained.settings)
    assert not again.changed
    assert {path: path.stat().st_mtime_ns for path in trained.out.rglob("*") if path.is_file()} == before


def test_another_seed_does_not_go_into_the_same_folder(trained: Trained) -> None:
    with pytest.raises(ValueError, match=r"seed is 0, now 1; take another --out"):
        train.fn(trained.settings.model_copy(update={"seed": 1}))


@pytest.mark.parametrize("stage", ["inpaint", "motion"])
def test_a_stage_without_its_start_stops_before_work(trained: Trained, tmp_path: Path, stage: str) -> None:
    settings = trained.settings.model_copy(update={"stage": stage, "out": tmp_path / "R"})
    with pytest.raises(ValueError, match=f"stage {stage} starts from stage joint.*--stage joint first"):
        train.fn(settings)
    assert [path.name for path in (tmp_path / "R").iterdir()] == ["training.json"]


def test_without_talking_clips_the_motion_stage_says_so(tmp_path: Path, face_model_file: Path) -> None:
    store = publish_toys(tmp_path, face_model_file, talking=False)
    profile = write_profile(tmp_path, toy_profile(steps=1))
    settings = TrainSettings(store=store.root, name=NAME, profile=str(profile), out=tmp_path / "R", workers=1)
    with pytest.raises(ValueError, match="no train clip has sound and 6 frames"):
        train.fn(settings)
    assert list(RunFolder(tmp_path / "R").finished()) == ["autoencoder", "joint", "inpaint"]


def test_unknown_profile_is_refused(trained: Trained, tmp_path: Path) -> None:
    settings = trained.settings.model_copy(update={"profile": "tiny", "out": tmp_path / "R"})
    with pytest.raises(ValueError, match="profile 'tiny': take one of small, demo, paper"):
        train.fn(settings)


def test_a_profile_for_gpus_is_refused_where_there_is_none(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    profile = write_profile(tmp_path, toy_profile().model_copy(update={"encode_on": "cuda"}))
    settings = trained.settings.model_copy(update={"profile": str(profile), "out": tmp_path / "R"})
    with pytest.raises(ValueError, match="there is none; set its encode_on to cpu"):
        train.fn(settings)
    assert not (tmp_path / "R").exists()


def test_the_limits_of_a_clip_can_be_set(tmp_path: Path, face_model_file: Path) -> None:
    settings = TrainSettings(
        store=publish_toys(tmp_path, face_model_file).root,
        name=NAME,
        profile=str(write_profile(tmp_path, toy_profile())),
        out=tmp_path / "R",
        workers=1,
        run=RunSettings(job_timeout_s=1e-3),
    )
    with pytest.raises(RuntimeError, match="timeout"):
        train.fn(settings)


def test_killed_in_every_stage_and_run_again_gives_the_same_weights(trained: Trained, tmp_path: Path) -> None:
    """kill -9 in each stage, after a checkpoint, and always the same command again."""
    out = tmp_path / "R"
    command = [sys.executable, "-m", "flows", "train", "--workers", "1", "--out", str(out)]
    command += ["--store", str(trained.store.root), "--name", NAME, "--profile", trained.settings.profile]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for stage in STAGES:
        with subprocess.Popen(
            command, env=environment, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
        ) as run:
            assert run.stderr is not None
            told = next((line for line in run.stderr if line.startswith(f"{stage} step 3")), None)
            run.kill()
        assert told is not None
        assert RunFolder(out).record(stage) is None
        assert (out / stage / "checkpoints" / "00000002").is_dir()
    subprocess.run(command, env=environment, cwd=REPOSITORY, check=True, capture_output=True)
    assert digests(out) == digests(trained.out)


def digests(out: Path) -> dict[str, str]:
    """Of all that was saved to be used."""
    saved = [out / name for name in (*STAGES, "pipeline", "video_pipeline")]
    files = [path for folder in saved for path in folder.rglob("*") if "checkpoints" not in path.parts]
    return {
        str(path.relative_to(out)): file_digest(path)
        for path in files
        if path.is_file() and path.name != "run.json"
    }


def test_two_processes_learn_what_one_does_and_speak_once(trained: Trained, tmp_path: Path) -> None:
    """With one global batch: the same losses; launched on CPUs, both were once alone and wrote one folder."""
    out = tmp_path / "R"
    for part in ("training.json", "autoencoder"):
        _copied(trained.out / part, _made(out) / part)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "flows", "train", "--stage", "joint", "--workers", "1", "--out", str(out)]
    command += ["--store", str(trained.store.root), "--name", NAME, "--profile", trained.settings.profile]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stages"] == {"autoencoder": 4, "joint": 4}
    assert _losses(out) == pytest.approx(_losses(trained.out), rel=1e-5)


def test_it_goes_on_with_other_settings_of_the_loop(trained: Trained, tmp_path: Path) -> None:
    """As after running out of memory; and not with another learning rate."""
    out = tmp_path / "R"
    for part in ("training.json", "autoencoder", "joint", "prompt", "inpaint"):
        _copied(trained.out / part, _made(out) / part)
    (out / "inpaint" / "run.json").unlink()
    (out / "inpaint" / "checkpoints" / "00000004").rename(tmp_path / "later")
    profile = toy_profile()
    for change in ({"gradient_checkpointing": True, "keep": 1}, {"learning_rate": 0.5}):
        trainer = profile.inpaint.trainer.model_copy(update=change)
        changed = profile.model_copy(
            update={"inpaint": profile.inpaint.model_copy(update={"trainer": trainer})}
        )
        settings = trained.settings.model_copy(
            update={"stage": "inpaint", "out": out, "profile": str(write_profile(tmp_path, changed))}
        )
        if "learning_rate" in change:
            with pytest.raises(ValueError, match=r"inpaint.trainer.learning_rate is 0.001, now 0.5"):
                train.fn(settings)
        else:
            assert train.fn(settings).stages["inpaint"] == 4


def _copied(source: Path, target: Path) -> None:
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _losses(out: Path) -> list[float]:
    """Of the joint stage; one process alone writes them down."""
    (events,) = (out / "logs" / "joint").iterdir()
    board = EventAccumulator(str(events))
    board.Reload()
    return [event.value for event in board.Scalars("loss/total")]


def test_a_damaged_clip_stops_the_training(trained: Trained, own_toys: Store, tmp_path: Path) -> None:
    """A flipped bit is found before it is learnt."""
    rows = {row.clip_id: row for row in read_rows(own_toys, NAME, number=1)}
    speech = own_toys.blob_path(rows["talk"].blobs["speech"])
    data = bytearray(speech.read_bytes())
    data[len(data) // 2] ^= 1
    speech.chmod(0o644)
    speech.write_bytes(bytes(data))
    settings = trained.settings.model_copy(update={"store": own_toys.root, "out": tmp_path / "R"})
    with pytest.raises(CorruptBlob, match=rows["talk"].blobs["speech"]):
        train.fn(settings)
