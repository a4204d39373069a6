from __future__ import annotations

import pytest

from rendering.face_model import FaceModel
from tests.rendering.fitting.toy_face import ToyClip, toy_clip, toy_face_model


@pytest.fixture(scope="session")
def face_model() -> FaceModel:
    return toy_face_model()


@pytest.fixture(scope="session")
def clip(face_model: FaceModel) -> ToyClip:
    return toy_clip(face_model)
