"""Make the embedded clips: synthetic speakers with ground truth, and a photograph under a moving camera.

clips/speaker_<k>.mp4|mkv, clips/astronaut.mp4       input of a build
truth/<clip>.npz                                     ground truth at the frame rate of the clip
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import skimage.data
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from rendering.builtin.appearance import HeadAppearance
from rendering.camera import Camera
from rendering.relighting.shading import ambient_light, directional_light, to_srgb8
from rendering.synthetic.acting import act
from rendering.synthetic.backdrop import blurred_room, pan_and_zoom
from rendering.synthetic.portrait import (
    SHOULDERS_FOLLOW,
    HeadPose,
    Person,
    person_in_camera,
    pose_about_neck,
    random_person,
    skin_depth,
    take_picture,
)
from rendering.synthetic.talking_head import Speaker, motion, voice
from tasks.embedded.write_clip import write_clip, write_wave

Color = tuple[float, float, float]

DEPTH_FRAMES = 4
"""Frames whose true depth is stored; the depth of all others follows from the stored parameters."""
SENSOR_NOISE = 1.2
"""Standard deviation of the camera's noise, in grey levels of 255."""
NOISE_STREAM = 5
"""Second word of the noise's random seed, which separates it from other draws with the speaker's seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticTake:
    """One synthetic clip: the video, the camera, the speaker and the light."""

    file_name: str
    width: int
    height: int
    frame_rate: Fraction
    sample_rate_hz: int
    focal_px: float
    distance_m: float
    speaker: Speaker
    appearance: HeadAppearance
    room: Color
    lamp_from: Color
    """Direction from the head to the lamp, camera axes."""
    lamp: Color
    ambient: Color


TAKES = (
    SyntheticTake(
        file_name="speaker_0.mp4", width=512, height=512, frame_rate=Fraction(25),
        sample_rate_hz=16_000, focal_px=1000.0, distance_m=0.66,
        speaker=Speaker(seed=11, duration_s=3.4, yaw_deg=18.0, pitch_hz=118.0),
        appearance=HeadAppearance(
            skin=(0.62, 0.42, 0.32), hair=(0.07, 0.045, 0.03), clothes=(0.05, 0.09, 0.20),
            stubble=0.35, seed=1,
        ),
        room=(0.35, 0.28, 0.22),
        lamp_from=(0.45, -0.5, -0.75), lamp=(0.80, 0.76, 0.70), ambient=(0.30, 0.31, 0.34),
    ),
    SyntheticTake(
        file_name="speaker_1.mp4", width=640, height=480, frame_rate=Fraction(30), sample_rate_hz=44_100,
        focal_px=900.0, distance_m=0.69,
        speaker=Speaker(seed=23, duration_s=3.2, yaw_deg=24.0, pitch_hz=205.0, smile=0.4),
        appearance=HeadAppearance(
            skin=(0.72, 0.52, 0.43), lips=(0.58, 0.22, 0.23), hair=(0.30, 0.17, 0.08),
            iris=(0.16, 0.24, 0.32), clothes=(0.42, 0.08, 0.09), freckles=0.5, seed=2,
        ),
        room=(0.12, 0.20, 0.30),
        lamp_from=(-0.6, -0.35, -0.7), lamp=(0.60, 0.64, 0.70), ambient=(0.34, 0.30, 0.27),
    ),
    SyntheticTake(
        file_name="speaker_2.mp4", width=480, height=640,
        frame_rate=Fraction(30_000, 1001), sample_rate_hz=48_000, focal_px=1350.0, distance_m=0.85,
        speaker=Speaker(seed=37, duration_s=3.1, yaw_deg=12.0, pitch_hz=96.0, smile=0.05),
        appearance=HeadAppearance(
            skin=(0.28, 0.16, 0.10), redness=0.4, lips=(0.24, 0.11, 0.09), hair=(0.02, 0.015, 0.012),
            iris=(0.05, 0.03, 0.02), clothes=(0.40, 0.39, 0.36), seed=3,
        ),
        room=(0.50, 0.50, 0.48),
        lamp_from=(0.1, -0.75, -0.65), lamp=(0.95, 0.93, 0.90), ambient=(0.36, 0.36, 0.38),
    ),
    SyntheticTake(
        file_name="speaker_3.mkv", width=640, height=480, frame_rate=Fraction(25),
        sample_rate_hz=22_050, focal_px=1250.0, distance_m=0.90,
        speaker=Speaker(seed=53, duration_s=3.6, yaw_deg=15.0, pitch_hz=172.0, smile=0.25),
        appearance=HeadAppearance(
            skin=(0.50, 0.32, 0.22), lips=(0.42, 0.18, 0.16), hair=(0.35, 0.34, 0.33),
            iris=(0.22, 0.14, 0.06), clothes=(0.07, 0.20, 0.12), seed=4,
        ),
        room=(0.08, 0.16, 0.10),
        lamp_from=(0.75, -0.2, -0.6), lamp=(0.90, 0.74, 0.52), ambient=(0.20, 0.22, 0.28),
    ),
)  # fmt: skip


def make_embedded_clips(out: Path, *, takes: tuple[SyntheticTake, ...] = TAKES) -> list[Path]:
    """Write the clips and their ground truth below `out`; returns the paths of the clips."""
    for folder in ("clips", "truth"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    paths = [_film(out, take) for take in takes]
    astronaut = out / "clips" / "astronaut.mp4"
    pictures = pan_and_zoom(
        skimage.data.astronaut(),  # type: ignore[no-untyped-call]
        np.linspace(0, 1, 70),
        center=(224.0, 150.0),
        windows=(300.0, 230.0),
        size=512,
    )
    write_clip(astronaut, pictures, size=(512, 512), frame_rate=Fraction(25), sound=None)
    return [*paths, astronaut]


def _film(out: Path, take: SyntheticTake) -> Path:
    """Write one clip with its ground truth."""
    person = random_person(take.speaker.seed, take.appearance)
    camera = Camera.centered(take.focal_px, take.width, take.height)
    times_s = np.arange(int(take.speaker.duration_s * take.frame_rate)) / float(take.frame_rate)
    performance = motion(take.speaker, times_s)
    expression = act(performance)
    rotation = Rotation.from_rotvec(performance.rotation)
    pose = pose_about_neck(
        rotation.as_matrix(),
        Rotation.from_rotvec(SHOULDERS_FOLLOW * performance.rotation).as_matrix(),
        performance.sway_m,
        stands_m=np.array([0.0, -0.015, take.distance_m]),
    )
    path = out / "clips" / take.file_name
    # ffmpeg takes only one piped input, which carries the frames: the sound goes through a file
    with TemporaryDirectory() as scratch:
        sound = Path(scratch) / "voice.wav"
        write_wave(sound, voice(take.speaker, take.sample_rate_hz), sample_rate_hz=take.sample_rate_hz)
        write_clip(
            path,
            _pictures(take, person, expression, pose, camera),
            size=(take.width, take.height),
            frame_rate=take.frame_rate,
            sound=sound,
        )
    kept = np.linspace(0, len(times_s) - 1, DEPTH_FRAMES).astype(np.int32)
    np.savez_compressed(
        out / "truth" / f"{path.stem}.npz",
        times_s=times_s,
        identity=person.identity,
        expression=expression,
        rotation=rotation.as_rotvec().astype(np.float32),
        translation=pose.translation.astype(np.float32),
        focal_px=np.float32(take.focal_px),
        size_px=np.array([take.width, take.height], np.int32),
        jaw=performance.jaw.astype(np.float32),
        blink=performance.blink_right.astype(np.float32),
        depth_frames=kept,
        depth_m=skin_depth(person.face_model, person_in_camera(person, expression[kept], pose[kept]), camera),
    )
    return path


def _pictures(
    take: SyntheticTake, person: Person, expression: NDArray[np.float32], pose: HeadPose, camera: Camera
) -> Iterator[NDArray[np.uint8]]:
    """The frames (H, W, 3) uint8, with the noise of a sensor."""
    random = np.random.default_rng([take.speaker.seed, NOISE_STREAM])
    background = blurred_room(take.speaker.seed, width=take.width, height=take.height, color=take.room)
    towards = np.array(take.lamp_from) / np.linalg.norm(take.lamp_from)
    lighting = ambient_light(np.array(take.ambient)) + directional_light(towards, np.array(take.lamp))
    for k in range(len(expression)):
        vertices = person_in_camera(person, expression[k : k + 1], pose[k : k + 1])[0]
        light = take_picture(person, vertices, camera=camera, lighting=lighting, background=background)
        # one draw for all three channels: the noise is grey
        noise = random.normal(scale=SENSOR_NOISE, size=light.shape[:2])[..., None]
        yield np.clip(np.round(to_srgb8(light) + noise), 0, 255).astype(np.uint8)
