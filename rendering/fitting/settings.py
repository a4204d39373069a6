"""All numbers that the fit depends on."""

from __future__ import annotations

from pydantic import Field

from rendering.settings import GeometrySettings


class LandmarkFitSettings(GeometrySettings):
    """The landmark stage: noise model, priors and temporal smoothness.

    Costs are negative log likelihoods: residuals in units of their standard deviation, priors on
    coefficients that are N(0, 1).
    """

    noise: float = Field(default=0.02, gt=0)
    """Standard deviation of a landmark, as a part of the distance between the outer eye corners."""
    pair_noise: float = Field(default=0.006, gt=0)
    """Standard deviation of a lid or lip distance, as a part of the distance between the outer eye corners;
    detectors see apertures better than positions."""
    contour_noise: float = Field(default=0.1, gt=0)
    """Standard deviation of the jaw line across itself, as a part of the distance between the outer eye
    corners."""
    robust_scale: float = Field(default=3.0, gt=0)
    """Residuals beyond this many standard deviations lose weight (Cauchy)."""
    independent_landmarks: float = Field(default=178.0, gt=0)
    """All landmarks of a frame count as this many independent ones, because neighbours err together."""
    independent_frames: float = Field(default=6.0, gt=0)
    """For the identity, all frames of a clip count as this many independent ones, because a landmark's bias
    repeats in every frame."""
    expression_prior: float = Field(default=1.6, gt=0)
    """Weight of the squared expression coefficients. 1 would suit a clip that spans all expressions; more
    keeps a constant bias of the detector from becoming a constant expression."""
    expression_acceleration: float = Field(default=0.2, gt=0)
    """Standard deviation of an expression coefficient's second difference over frames."""
    rotation_acceleration: float = Field(default=0.004, gt=0)
    """Standard deviation of the rotation's second difference over frames, radians."""
    shift_acceleration: float = Field(default=0.001, gt=0)
    """Standard deviation of the second difference over frames of the position across the view, as a part of
    the distance to the camera."""
    distance_acceleration: float = Field(default=0.0004, gt=0)
    """Standard deviation of the second difference over frames of the logarithm of the distance to the camera,
    the noisiest direction."""
    robust_acceleration: float = Field(default=0.8, gt=0)
    """Second differences beyond this many standard deviations lose weight (Huber), because heads do jerk."""
    key_frames: int = Field(default=24, ge=1)
    """Number of evenly spread frames on which the identity is first estimated."""
    key_iterations: int = Field(default=4, ge=1)
    """Number of Gauss-Newton iterations on the key frames."""
    iterations: int = Field(default=3, ge=1)
    """Number of Gauss-Newton iterations on all frames."""


class PhotometricSettings(GeometrySettings):
    """The photometric stage, which starts from the landmark stage and keeps its terms."""

    samples: int = Field(default=900, ge=50)
    """Approximate number of skin vertices whose brightness is compared."""
    face_px: int = Field(default=256, ge=32)
    """Pictures are reduced until the face is at most this wide, pixels."""
    blur_px: float = Field(default=0.7, gt=0)
    """Standard deviation of the blur of the reduced pictures, pixels."""
    clearance_m: float = Field(default=0.006, ge=0)
    """Distance of samples from lids and lips, metres; landmarks follow these better."""
    least_noise: float = Field(default=0.012, gt=0)
    """Smallest standard deviation of brightness (0..1) around the model; a clip's own, if larger, replaces
    it."""
    robust_scale: float = Field(default=2.0, gt=0)
    """Residuals beyond this many standard deviations lose weight (Cauchy)."""
    independent_samples: float = Field(default=600.0, gt=0)
    """All samples of a frame count as this many independent ones at the least noise."""
    patterns: int = Field(default=25, ge=1)
    """Number of smooth patterns of shading, not explained by the light, that are eliminated in each frame."""
    pattern_spread: float = Field(default=0.3, gt=0)
    """Standard deviation of the coefficient of a pattern, as a part of the expected brightness."""
    least_facing: float = Field(default=0.4, ge=0, lt=1)
    """Samples whose normal has a smaller cosine to the view than this are left out."""
    iterations: int = Field(default=8, ge=1)
    """Number of Gauss-Newton iterations on landmarks and brightness."""
    relaxation: float = Field(default=1.85, ge=1, lt=2)
    """Factor on all steps but the last: light and albedo, which are estimated between steps, lag behind."""
    landmark_error: float = Field(default=0.0128, gt=0)
    """Landmark error, as a part of the eyes' distance, up to which landmarks keep their full weight against
    brightness; a larger one means that model and detector disagree on the face."""
    color_frames: int = Field(default=32, ge=4)
    """Number of evenly spread frames from which light, albedo and hidden skin are estimated in colour."""


class InlierSettings(GeometrySettings):
    """How to find hair, glasses and hands in front of the skin by their colour and their changes."""

    darkest: float = Field(default=0.55, gt=0, lt=1)
    """Inlier weight falls to 1/2 where a vertex has this part of the mean skin's brightness in the same
    light."""
    color_change: float = Field(default=0.35, gt=0)
    """Inlier weight falls to 1/2 where a vertex's colour, as log ratios of channels, is this far from the
    mean skin's."""
    unrest: float = Field(default=5.0, gt=1)
    """Inlier weight falls to 1/2 where a vertex changes this many times as much over the frames as the median
    one."""
    softness: float = Field(default=0.1, gt=0)
    """How gradually the inlier weight falls around these limits, as a part of the limit."""
    clearance_m: float = Field(default=0.012, ge=0)
    """Within this distance of brows, lids and lips, metres, every vertex is an inlier: these are darker than
    skin by nature."""
    spreading: int = Field(default=2, ge=0)
    """Number of rounds of averaging over neighbouring vertices."""


class QualitySettings(GeometrySettings):
    """When a frame counts as lost, and which run of frames is kept."""

    landmark_error: float = Field(default=0.05, gt=0)
    """Landmark error, as a part of the outer eye corners' distance, that is always accepted."""
    highest_landmark_error: float = Field(default=0.1, gt=0)
    """Landmark error, as a part of the outer eye corners' distance, above which a frame always fails."""
    photometric_error: float = Field(default=0.08, gt=0)
    """Photometric error (0..1) that is always accepted."""
    most_over_median: float = Field(default=3.0, gt=1)
    """Larger errors are accepted up to this multiple of the clip's median."""
    expression_energy: float = Field(default=6.0, gt=0)
    """Largest mean squared expression coefficient of a tracked frame."""
    turn_deg: float = Field(default=25.0, gt=0)
    """Largest second difference of a tracked frame's rotation, degrees a frame squared."""
    recovery: float = Field(default=0.8, gt=0, le=1)
    """A failure ends once all figures have been below this part of their limits for recovery_frames
    frames."""
    recovery_frames: int = Field(default=3, ge=1)
    """Number of good frames that end a failure."""
    least_frames: int = Field(default=18, ge=1)
    """Shortest run of frames to keep: four motion frames and the fourteen generated after them."""


class FitSettings(GeometrySettings):
    """Settings of fitting a clip."""

    landmarks: LandmarkFitSettings = LandmarkFitSettings()
    """The landmark stage."""
    photometric: PhotometricSettings | None = PhotometricSettings()
    """The photometric stage; None = landmarks alone."""
    inliers: InlierSettings = InlierSettings()
    """Detection of skin that hair, glasses or a hand hide."""
    quality: QualitySettings = QualitySettings()
    """When a frame counts as lost."""


class FocalSettings(GeometrySettings):
    """Settings of estimating the focal length of a source video from all of its clips."""

    landmarks: LandmarkFitSettings = LandmarkFitSettings()
    """Noise and priors of the landmark fit."""
    prior_fov_deg: float = Field(default=30.0, gt=1, lt=120)
    """Field of view along the longer side of the frame, used where the motion does not determine it."""
    prior_spread: float = Field(default=0.35, gt=0)
    """Standard deviation of the prior on the logarithm of the focal length."""
    detector_spread: float = Field(default=0.4, ge=0)
    """Standard deviation of the logarithm of the focal length that the landmark detector's own bias causes,
    however many frames there are: rms 0.40 over eight synthetic clips of known focal length
    (docs/fitting.md). 0 = an unbiased detector."""
    observable_spread: float = Field(default=0.1, gt=0)
    """The focal length counts as observable if the standard deviation of its logarithm is at most this."""
    most_frames: int = Field(default=24, ge=4)
    """Number of evenly spread frames taken from each clip."""
    iterations: int = Field(default=10, ge=2)
    """Number of Gauss-Newton iterations on the focal length."""
