"""The model files that all clips of a build share, as blobs of the store."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from model.settings import Record
from tasks.dag import BUILTIN_FACE_MODEL
from tasks.engine.clip import Clip
from tasks.engine.run_stage import RunSettings, run_stage
from tasks.face_models.files import load_face_model
from tasks.store.blobs import CorruptBlob, Store, file_digest
from tasks.weights.speech import find_speech_model


class ModelFiles(Record):
    """Model files that a build was given, as blobs of the store."""

    blobs: dict[str, str]
    """sha256 by role."""
    face_model: str
    """Name of the face model."""
    licences: dict[str, str]
    """Licence by name of the model."""


def store_models(
    store: Store,
    *,
    face_model: Path | None,
    face_landmarker: Path | None,
    speech_model: str | None,
    run: RunSettings,
) -> ModelFiles:
    """Put the model files into the store. Without a face model, the builtin head is generated.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not what it should be.
    """
    if face_model is None:
        face_digest = _builtin_face_model(store, run)
    else:
        load_face_model(face_model)  # a bad file stops before work starts
        face_digest = _stored(store, face_model)
    face = load_face_model(store.checked_blob(face_digest))
    files = {} if speech_model is None else find_speech_model(speech_model)
    if face_landmarker is not None:
        files = {**files, "face_landmarker": face_landmarker}
    blobs = {role: _stored(store, path) for role, path in sorted(files.items())}
    return ModelFiles(
        blobs={**blobs, "face_model": face_digest},
        face_model=face.name,
        licences={face.name: face.licence},
    )


def _stored(store: Store, path: Path) -> str:
    """Put a file into the store, unless it is there and sound, and return its digest."""
    digest = file_digest(path)
    if store.has_blob(digest, size=path.stat().st_size):
        with suppress(CorruptBlob):
            store.checked_blob(digest)
            return digest
    return store.put_file(path, move=False).sha256


def _builtin_face_model(store: Store, run: RunSettings) -> str:
    """Generate the builtin head by a stage without inputs: run once a store, later found in the ledger."""
    head = Clip(clip_id="builtin", kind="studio", video_id="builtin", files={}, blobs={}, values={})
    from tasks.stages.build_builtin_face_model import BuiltinSettings

    (made,) = run_stage.fn(
        BUILTIN_FACE_MODEL,
        [head],
        label="",
        store_root=store.root,
        settings=BuiltinSettings(),
        run=run,
    )
    if made.reason:
        raise ValueError(f"the builtin face model could not be made: {made.detail}")
    return made.blobs["face_model"]
