"""The data DAG, and the only place where it is written: stages in order, the roles each takes and gives.

A clip brings files from its source and from the build's models, by role (tasks/roles.py); every stage adds
more. A clip skips a stage only where the line of that stage says so, with the reason. Modules of stages are
named and not imported: they load decoders, detectors and torch.
"""

from __future__ import annotations

from tasks.chain import Chain, Node, Skip
from tasks.roles import read_for

MODELS = ("face_model", "face_landmarker", "speech_config", "speech_weights")
PICTURES = read_for("pictures")
PACKED = Skip(without="source", because="stage pack made the video from numbered pictures")
SILENT = Skip(without="audio", because="the source has no sound")
PART = ("first_frame", "frames")
FRAME = ("frame_width", "frame_height")
SOURCE = ("source_width", "source_height")
DEPTH_SCALE = ("depth_near_m", "depth_far_m", "depth_scale_m", "depth_offset_m")

# fmt: off
# Paper 5.1 and 7.3: 25 fps and 16 kHz, crops of 512 px, one 3DMM identity a clip, rendered depth, wav2vec.
WILD = Chain("wild", given=("source", "image/*", *MODELS), nodes=(
    Node("pack", "pack_pictures", takes=("image/*",), gives=("video",), reads=("images_fps",),
         skip=Skip(without="image/*", because="the source is a video file")),
    Node("probe", "probe_media", takes=("source",), gives=("plan",),
         reads=("source_start_s", "source_end_s"), skip=PACKED),
    Node("resample", "resample_media", takes=("source", "plan"), gives=("video", "audio"), skip=PACKED),
    Node("landmarks", "detect_landmarks", takes=("video",), may_take=("face_landmarker",),
         gives=("landmarks",), reads=SOURCE),
    Node("crop", "crop_clip", takes=("video", "landmarks"), gives=("crop", "crop_landmarks"),
         reads=(*PART, "declared_crop")),
    Node("focal", "estimate_focal", takes=("landmarks", "face_model"), gives=(),
         reads=(*PART, *FRAME, *SOURCE), per_video=True),
    Node("fit", "fit_clip", takes=("crop", "crop_landmarks", "face_model"),
         gives=("fit", "crop", "crop_landmarks"),
         reads=("focal_ratio", *FRAME, "crop_transform", "crop_side_px", "first_frame")),
    Node("sound", "cut_sound", takes=("audio",), gives=("clip_audio",), reads=PART, skip=SILENT),
    Node("depth", "render_depth", takes=("fit", "face_model"), gives=("depth", "mask"),
         reads=("camera_matrix", "crop_side_px")),
    Node("speech", "extract_speech", takes=("audio",), may_take=("speech_config", "speech_weights"),
         gives=("speech",), reads=PART, skip=SILENT),
))
"""A talking-head clip, from a video file or numbered pictures to crop, depth and speech features."""

STUDIO = Chain("studio", given=("image/*", "mesh/*", "pose/*", "template", "face_vertices", *MODELS), nodes=(
    Node("undistort", "undistort_capture", takes=("image/*", "mesh/*"),
         may_take=("pose/*", "template", "face_vertices"), gives=("crop", "capture"),
         reads=("camera", "length_unit_m", "mesh_formats", "template_format")),
    Node("depth", "render_depth", takes=("capture",), gives=("depth", "mask"),
         reads=("camera_matrix", "crop_side_px")),
))
"""A studio capture, from pictures with a registered mesh to pinhole crops with depth."""

ENCODING = Chain("encoding", given=(*PICTURES, "vae_config", "vae_weights"), nodes=(
    Node("pictures", "cache_pictures", takes=PICTURES, gives=("pictures",), reads=DEPTH_SCALE),
    Node("latents", "cache_latents", takes=("vae_config", "vae_weights"), may_take=(*PICTURES, "pictures"),
         gives=("latents",), reads=DEPTH_SCALE),
))
"""A published clip on its way into training: pictures at training size, and their latents."""
# fmt: on

BUILTIN_FACE_MODEL = Node("builtin_face_model", "build_builtin_face_model", takes=(), gives=("face_model",))
"""Runs once a store, where a build was given no face model."""


def data_stages() -> tuple[Node, ...]:
    """The stages of wild clips and of captures, each name once, in order."""
    return tuple({node.name: node for node in (*WILD, *STUDIO)}.values())
