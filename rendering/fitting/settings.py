"""Every number that the fit depends on."""

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
    """Standard deviation of a lid or lip distance, same unit: apertures are seen better than positions."""
    contour_noise: float = Field(default=0.1, gt=0)
    """Standard deviation of the jaw line across itself, same unit."""
    robust_scale: float = Field(default=3.0, gt=0)
    """Residuals beyond this many standard deviations lose weight (Cauchy)."""
    independent_landmarks: float = Field(default=178.0, gt=0)
    """Neighbouring landmarks err together: all of a frame's count as this many independent ones."""
    independent_frames: float = Field(default=6.0, gt=0)
    """A landmark's bias is the same in all frames: for the identity a clip counts as this many frames."""
    expression_prior: float = Field(default=1.6, gt=0)
    """Weight of the expression coefficients' squares: 1 where one clip spans all expressions; more because a
    detector's constant bias otherwise ends as a constant expression."""
    expression_acceleration: float = Field(default=0.2, gt=0)
    """Standard deviation of an expression coefficient's second difference over frames."""
    rotation_acceleration: float = Field(default=0.004, gt=0)
    """Likewise of the rotation, radians."""
    shift_acceleration: float = Field(default=0.001, gt=0)
    """Likewise of the position across the view, as a part of the distance to the camera."""
    distance_acceleration: float = Field(default=0.0004, gt=0)
    """Likewise of the logarithm of the distance to the camera: the noisiest direction."""
    robust_acceleration: float = Field(default=0.8, gt=0)
    """Second differences beyond this many standard deviations lose weight (Huber): heads do jerk."""
    key_frames: int = Field(default=24, ge=1)
    """Frames, evenly spread, on which the identity is first estimated."""
    key_iterations: int = Field(default=4, ge=1)
    """Gauss-Newton iterations on the key frames."""
    iterations: int = Field(default=3, ge=1)
    """Gauss-Newton iterations on all frames."""


class PhotometricSettings(GeometrySettings):
    """The photometric stage, which starts from the landmark stage and keeps its residuals."""

    samples: int = Field(default=900, ge=50)
    """Skin vertices that are compared, about."""
    face_px: int = Field(default=256, ge=32)
    """Pictures are reduced until the face is at most this wide."""
    blur_px: float = Field(default=0.7, gt=0)
    """Standard deviation of the blur of the reduced pictures."""
    clearance_m: float = Field(default=0.006, ge=0)
    """Samples keep this distance from lids and lips, which landmarks follow better."""
    least_noise: float = Field(default=0.012, gt=0)
    """Floor of the standard deviation of brightness (0..1) around the model, which each clip measures."""
    robust_scale: float = Field(default=2.0, gt=0)
    """Residuals beyond this many standard deviations lose weight (Cauchy)."""
    independent_samples: float = Field(default=600.0, gt=0)
    """All of a frame's samples count as this many independent ones, at the least noise."""
    patterns: int = Field(default=25, ge=1)
    """Smooth patterns of shading that the light does not explain, eliminated in each frame."""
    pattern_spread: float = Field(default=0.3, gt=0)
    """Standard deviation of a pattern's coefficient, as a part of the expected brightness."""
    least_facing: float = Field(default=0.4, ge=0, lt=1)
    """Samples seen at a smaller cosine than this are left out."""
    iterations: int = Field(default=8, ge=1)
    """Gauss-Newton iterations."""
    relaxation: float = Field(default=1.85, ge=1, lt=2)
    """Steps but the last are stretched by this: light and albedo, re-estimated between them, lag behind."""
    landmark_error: float = Field(default=0.0128, gt=0)
    """Landmark error, as a part of the eyes' distance, where model and detector agree on a face."""
    color_frames: int = Field(default=32, ge=4)
    """Frames, evenly spread, from which light, albedo and what hides the skin are estimated in colour."""


class InlierSettings(GeometrySettings):
    """What on the skin is not skin: hair, glasses, a hand, by its colour and its unrest."""

    darkest: float = Field(default=0.55, gt=0, lt=1)
    """A vertex is half out where its brightness is this part of the mean skin's in the same light ..."""
    color_change: float = Field(default=0.35, gt=0)
    """... or its colour's (log ratios of channels) distance from the mean skin's is this ..."""
    unrest: float = Field(default=5.0, gt=1)
    """... or it changes this many times as much over the frames as the median vertex."""
    softness: float = Field(default=0.1, gt=0)
    """How gradually inliers fall around these limits, as a part of the limit."""
    clearance_m: float = Field(default=0.012, ge=0)
    """Brows, lids and lips are darker than skin by nature: closer than this to them nothing is out."""
    spreading: int = Field(default=2, ge=0)
    """Rounds of averaging over neighbouring vertices."""


class QualitySettings(GeometrySettings):
    """When a frame counts as lost."""

    landmark_error: float = Field(default=0.05, gt=0)
    """Landmark error (part of the outer eye corners' distance) that is always accepted."""
    highest_landmark_error: float = Field(default=0.1, gt=0)
    """Landmark error that is never accepted."""
    photometric_error: float = Field(default=0.08, gt=0)
    """Photometric error (0..1) that is always accepted."""
    most_over_median: float = Field(default=3.0, gt=1)
    """Above the accepted errors, a frame may have this multiple of the clip's median."""
    expression_energy: float = Field(default=6.0, gt=0)
    """Largest mean squared expression coefficient."""
    turn_deg: float = Field(default=25.0, gt=0)
    """Largest second difference of the rotation, degrees a frame squared."""
    recovery: float = Field(default=0.8, gt=0, le=1)
    """A failure ends when all figures are below this part of their limits ..."""
    recovery_frames: int = Field(default=3, ge=1)
    """... for this many frames."""
    least_frames: int = Field(default=18, ge=1)
    """Shortest run worth keeping: four motion frames and the fourteen generated after them."""


class FitSettings(GeometrySettings):
    """Fitting a clip."""

    landmarks: LandmarkFitSettings = LandmarkFitSettings()
    """The landmark stage."""
    photometric: PhotometricSettings | None = PhotometricSettings()
    """The photometric stage; None = landmarks alone."""
    inliers: InlierSettings = InlierSettings()
    """What is hidden by hair or glasses."""
    quality: QualitySettings = QualitySettings()
    """When a frame counts as lost."""


class FocalSettings(GeometrySettings):
    """The focal length of a source video, from all of its clips."""

    landmarks: LandmarkFitSettings = LandmarkFitSettings()
    """Noise and priors of the landmark fit."""
    prior_fov_deg: float = Field(default=30.0, gt=1, lt=120)
    """Field of view along the longer side of the frame where the motion does not determine it."""
    prior_spread: float = Field(default=0.35, gt=0)
    """Standard deviation of the prior on the logarithm of the focal length."""
    detector_spread: float = Field(default=0.4, ge=0)
    """Error of the logarithm that the landmark detector's own bias causes, however many frames there are:
    rms 0.40 over eight synthetic clips of known focal length (docs/fitting.md). 0 = an unbiased detector."""
    observable_spread: float = Field(default=0.1, gt=0)
    """The focal length is observable if data and detector leave its logarithm this uncertain or less."""
    most_frames: int = Field(default=24, ge=4)
    """Frames taken of each clip, evenly spread."""
    iterations: int = Field(default=10, ge=2)
    """Gauss-Newton iterations."""
