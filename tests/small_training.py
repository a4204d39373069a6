"""A published version of toy clips, a profile that trains in seconds, and both trained once for all tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.networks.autoencoder import AutoencoderSize
from model.networks.build_networks import SpeechSize, UNetSize
from model.networks.speech_settings import UntrainedSize
from model.samples.manifest import ManifestRow
from model.samples.training_set import WindowLength
from model.training.autoencoder_step import AutoencoderTraining
from model.training.image_step import DiffusionStageSettings, InpaintSettings
from model.training.motion_step import MotionSettings
from model.training.profiles import Profile
from model.training.trainer_settings import TrainerSettings
from tasks.media.video_files import write_audio
from tasks.store.blobs import Store
from tasks.store.publish import publish
from tasks.store.versions import LockFacts
from tests.tasks.small_clips import stored_row

NAME = "toys"
HEARD = UntrainedSize(layers=2, width=64)
NOTICE = "Synthetic source: toys <b> were never filmed."


def publish_toys(folder: Path, face_model: Path, *, talking: bool = True) -> Store:
    """Talking clips of two people and stills of six, two of them held out."""
    store = Store.create(folder / "store")
    rows = [
        stored_row(
            store, folder, f"still{subject}{take}", 1, kind="studio", subject_id=f"s{subject}", split=split
        )
        for subject, split in enumerate(("train", "train", "train", "val", "test", "test"))
        for take in range(2)
    ]
    rows += [_talk(store, folder, "talk", "train", talking), _talk(store, folder, "heard", "test", talking)]
    facts = LockFacts(
        settings={"stages": {"speech": {"untrained": HEARD.model_dump()}}},
        catalogue="0" * 64,
        models={"face_model": store.put_file(face_model, move=False).sha256},
        recipes={},
        splits={row.subject_id: row.split for row in rows},
        notices=(NOTICE,),
    )
    publish(store, NAME, rows=rows, facts=facts, actions={}, pages={}, base=0)
    return store


def _talk(store: Store, folder: Path, name: str, split: str, talking: bool) -> ManifestRow:
    row = stored_row(store, folder, name, 16, split=split)
    if not talking:
        return row
    random = np.random.default_rng(len(name))
    features, audio = folder / f"{name}.npz", folder / f"{name}.wav"
    np.savez(features, features=random.normal(size=(16, HEARD.layers, HEARD.width)).astype(np.float16))
    write_audio(audio, random.integers(-3000, 3000, 16 * 640).astype(np.int16))
    blobs = {"speech": features, "clip_audio": audio}
    added = {role: store.put_file(path, move=False).sha256 for role, path in blobs.items()}
    return row.model_copy(update={"blobs": {**row.blobs, **added}, "has_audio": True})


def toy_profile(*, steps: int = 4) -> Profile:
    """16 px, latents of 4 x 4."""
    trainer = TrainerSettings(
        steps=steps, global_batch=2, learning_rate=1e-3, checkpoint_every=2, log_every=1, validate_every=2
    )
    return Profile(
        networks=UNetSize(widths=(16, 32), head_width=16, prompt_width=8, side=4),
        autoencoder=AutoencoderTraining(trainer=trainer, size=AutoencoderSize(widths=(8, 8, 8), side_px=16)),
        side_px=16,
        speech=SpeechSize(hidden_width=16, tokens=2),
        joint=DiffusionStageSettings(trainer=trainer),
        inpaint=InpaintSettings(trainer=trainer),
        motion=MotionSettings(
            trainer=trainer.model_copy(update={"global_batch": 1}),
            length=WindowLength(frames=6, num_motion_frames=2),
        ),
    )


def write_profile(folder: Path, profile: Profile) -> Path:
    path = folder / "profile.json"
    path.write_text(profile.model_dump_json())
    return path
