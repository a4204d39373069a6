from dataclasses import replace

import numpy as np
import pytest

from rendering.fitting.landmark_model import landmark_model
from rendering.fitting.landmarks_solver import clip_priors, fit_landmarks, landmark_targets
from rendering.fitting.patches import collect_patches
from rendering.fitting.photometric import look, refine, robust_roots, settled, skin_appearance
from rendering.fitting.photometric_terms import brightness_rows
from rendering.fitting.rotations import rotation_matrix
from rendering.fitting.settings import LandmarkFitSettings, PhotometricSettings
from rendering.fitting.skin_samples import skin_samples
from rendering.fitting.start import start_parameters
from rendering.fitting.visibility import visible_samples
from rendering.relighting.shading import directional_light, render_image, shade_vertices
from tests.rendering.fitting.toy_face import CAMERA, head_points, posed_vertices, seen_landmarks

CENTER = (CAMERA.center_x_px, CAMERA.center_y_px)
SETTINGS = PhotometricSettings(samples=250, iterations=4)
LIGHT = np.array([-0.5, -0.4, -0.77])


@pytest.fixture(scope="module")
def samples(face_model):
    return skin_samples(face_model, count=250, clearance_m=0.004)


@pytest.fixture(scope="module")
def patches(face_model, clip):
    """The toy clip painted: a blotchy skin under a lamp."""
    random = np.random.default_rng(0)
    skin = np.array([0.75, 0.55, 0.45]) * (1 + 0.15 * random.normal(size=(len(face_model.mean), 1)))
    light = directional_light(LIGHT, np.full(3, 0.6))
    light[0] += 1.2
    vertices = posed_vertices(face_model, clip.parameters).astype(np.float32)
    colors = shade_vertices(vertices, face_model.triangles, skin, light)
    background = np.full((512, 512, 3), 0.1, np.float32)
    frames = (
        (
            np.clip(
                render_image(
                    vertices[k],
                    face_model.triangles,
                    CAMERA,
                    colors=colors[k],
                    background=background,
                    samples=1,
                ),
                0,
                1,
            )
            * 255
        ).astype(np.uint8)
        for k in range(len(vertices))
    )
    return collect_patches(frames, clip.landmarks, width=512, height=512, settings=SETTINGS)


def observation(samples, face_model, patches, parameters):
    unhidden = visible_samples(face_model, samples.vertices, parameters)
    return look(samples, patches, parameters, center=CENTER, unhidden=unhidden, settings=SETTINGS)


def test_the_true_parameters_explain_the_pictures(samples, face_model, patches, clip):
    true = observation(samples, face_model, patches, clip.parameters)
    shifted = replace(clip.parameters, position=clip.parameters.position + np.array([0.01, 0, 0]))
    assert np.median(true.frame_errors()) < 0.02
    assert np.median(observation(samples, face_model, patches, shifted).frame_errors()) > 2 * np.median(
        true.frame_errors()
    )


def test_normal_equations_are_those_of_finite_differences(samples, clip):
    """On a picture with a constant gradient brightness is linear in the projected position."""
    parameters = clip.parameters.frames(slice(4, 5))
    random = np.random.default_rng(0)
    gradient = random.normal(size=(1, len(samples.vertices), 2)).astype(np.float32) * 0.01
    weight = random.uniform(0.5, 2, (1, len(samples.vertices))).astype(np.float32)

    def brightness(step):
        moved = parameters.moved(step[None, :31], step[31:])
        points = head_points(samples.moving, moved)[0]
        z = np.exp(moved.position[0, 2])
        shift = np.array([moved.position[0, 0] * z, moved.position[0, 1] * z, z])
        placed = points @ rotation_matrix(moved.rotation[0]).T + shift
        pixels = np.exp(moved.log_focal) * placed[:, :2] / placed[:, 2:]
        return (weight[0] * (gradient[0] * pixels).sum(axis=1)).astype(np.float64)

    jacobian = np.stack([(brightness(s) - brightness(-s)) / 2e-3 for s in np.eye(82) * 1e-3], axis=1)
    residual = random.normal(size=weight.shape).astype(np.float32)
    rows = np.empty((1, len(samples.vertices), 83), np.float32)
    brightness_rows(
        rows,
        samples.moving.points(parameters.identity, parameters.expression),
        samples.moving.lines,
        parameters.rotation,
        parameters.position,
        float(np.exp(parameters.log_focal)),
        residual,
        gradient,
        weight,
        25,
    )
    gram = rows[0].T @ rows[0]
    dense = jacobian.T @ jacobian
    scale = np.sqrt(np.outer(np.diag(dense), np.diag(dense)))
    assert np.abs((gram[:-1, :-1] - dense) / scale).max() < 1e-3
    pull = jacobian.T @ (weight[0] * residual[0])
    assert gram[:-1, -1] == pytest.approx(pull, abs=1e-3 * np.abs(pull).max())


def test_brightness_resists_a_detector_that_shakes(samples, face_model, patches, clip):
    """All landmarks of a frame shifted alike: landmarks alone follow, the skin in the pictures does not."""
    shake = np.zeros((len(clip.landmarks), 1, 3), np.float32)
    shake[:, 0, :2] = np.random.default_rng(1).normal(scale=3, size=(len(shake), 2))
    model, settings = (
        landmark_model(face_model),
        LandmarkFitSettings(
            noise=0.06, rotation_acceleration=1.0, shift_acceleration=1.0, distance_acceleration=1.0
        ),
    )
    targets = landmark_targets(model, clip.landmarks + shake, clip.presence, camera=CAMERA, settings=settings)
    start = start_parameters(model, clip.landmarks + shake, clip.presence, camera=CAMERA, identity_modes=50)
    alone = fit_landmarks(model, targets, start, settings=settings)
    refined = refine(
        samples,
        face_model,
        patches,
        alone,
        landmarks=(model, targets),
        priors=clip_priors(model, frames=len(shake), settings=settings),
        settings=SETTINGS,
    )

    def shaking(parameters):
        shown = seen_landmarks(face_model, parameters) - seen_landmarks(face_model, clip.parameters)
        return np.abs(np.diff(shown[:, model.ids, :2], 2, axis=0)).mean()

    assert shaking(refined) < 0.8 * shaking(alone)


def test_samples_behind_the_nose_are_hidden(samples, face_model, clip):
    turned = replace(clip.parameters.frames(slice(0, 1)), rotation=np.array([[0.0, 0.9, 0.0]]))
    frontal = replace(turned, rotation=np.zeros((1, 3)))
    assert visible_samples(face_model, samples.vertices, frontal).mean() > 0.98
    assert visible_samples(face_model, samples.vertices, turned).mean() < 0.98


def test_appearance_finds_the_lamp_and_the_colour(samples, face_model, patches, clip):
    seen = observation(samples, face_model, patches, clip.parameters)
    look_of = skin_appearance(samples, patches, clip.parameters, center=CENTER, observation=seen)
    y, z, x = look_of.lighting[1:4].mean(axis=1)
    assert np.dot([x, y, z], LIGHT) / np.linalg.norm([x, y, z]) > 0.8
    red, green, blue = look_of.lighting[0]
    assert red > green > blue
    assert look_of.albedo.mean(axis=0) == pytest.approx(1, abs=0.02)


def test_samples_keep_clear_of_lids_and_lips(face_model):
    close, clear = (skin_samples(face_model, count=300, clearance_m=c) for c in (0.0, 0.01))
    lips = face_model.landmark_points(face_model.mean[None])[0][[0, 17, 61, 291]]

    def nearest(chosen):
        return np.linalg.norm(chosen.moving.mean[:, None] - lips[None], axis=2).min()

    assert nearest(clear) > 0.01 > nearest(close)
    assert 200 < len(clear.vertices) <= 300


def test_too_few_frames_are_an_error(clip):
    frames = iter([np.zeros((512, 512, 3), np.uint8)] * 3)
    with pytest.raises(ValueError, match="3 frames for 24"):
        collect_patches(frames, clip.landmarks, width=512, height=512, settings=SETTINGS)


def test_albedo_is_at_its_best_under_the_weights_of_the_residuals(samples, face_model, patches, clip):
    """Otherwise the pose gives way to what the albedo should have explained."""
    shifted = replace(clip.parameters, rotation=0.9 * clip.parameters.rotation)
    seen = observation(samples, face_model, patches, shifted)

    def pull(sighted):
        weight = robust_roots(seen, seen.residual, settings=SETTINGS) ** 2
        expected = sighted.brightness - sighted.residual
        often = (weight > 0).sum(axis=0) > 12
        pulls = (weight * expected * sighted.residual).sum(axis=0)[often]
        return np.abs(pulls / (weight * expected**2).sum(axis=0)[often]).mean()

    assert pull(settled(seen, settings=SETTINGS)) < 0.75 * pull(seen)


def yaw_slope(samples, face_model, patches, clip, settings):
    """Fitted against true yaw where brightness has the say, started from the truth."""
    model, loose = landmark_model(face_model), LandmarkFitSettings(noise=0.5, pair_noise=0.5)
    targets = landmark_targets(model, clip.landmarks, clip.presence, camera=CAMERA, settings=loose)
    refined = refine(
        samples,
        face_model,
        patches,
        clip.parameters,
        landmarks=(model, targets),
        priors=clip_priors(model, frames=len(clip.landmarks), settings=loose),
        settings=settings,
    )
    return np.polyfit(clip.parameters.rotation[:, 1], refined.rotation[:, 1], 1)[0]


def test_a_room_that_the_light_does_not_explain_leaves_the_turn_its_size(samples, face_model, patches, clip):
    """Pictures brighter to one side the further the head turns there, as under a lamp close by."""
    images = patches.images.astype(np.float32)
    across = np.linspace(-1, 1, images.shape[2])[None, None]
    yaw = clip.parameters.rotation[:, 1][:, None, None]
    lamp = replace(patches, images=np.clip(images * (1 + 0.8 * yaw * across), 0, 255).astype(np.uint8))
    trusting = SETTINGS.model_copy(update={"pattern_spread": 1e-4})
    errors = [abs(yaw_slope(samples, face_model, lamp, clip, one) - 1) for one in (SETTINGS, trusting)]
    assert errors[0] < 0.7 * errors[1]
