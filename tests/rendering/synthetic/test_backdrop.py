import numpy as np

from rendering.synthetic.backdrop import blurred_room, pan_and_zoom


def test_a_room_is_its_seed() -> None:
    color = (0.3, 0.2, 0.1)
    first = blurred_room(1, width=96, height=64, color=color)
    assert first.shape == (64, 96, 3)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    np.testing.assert_allclose(first.mean((0, 1)), color, rtol=0.35)
    assert np.array_equal(first, blurred_room(1, width=96, height=64, color=color))
    assert not np.array_equal(first, blurred_room(2, width=96, height=64, color=color))


def test_the_camera_ends_closer_and_moves_smoothly() -> None:
    random = np.random.default_rng(0)
    photograph = np.kron(random.integers(0, 255, (20, 20, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    pictures = list(
        pan_and_zoom(photograph, np.linspace(0, 1, 30), center=(100, 90), windows=(160, 120), size=80)
    )
    assert len(pictures) == 30
    assert all(picture.shape == (80, 80, 3) and picture.dtype == np.uint8 for picture in pictures)
    steps = [np.abs(a.astype(int) - b).mean() for a, b in zip(pictures[1:], pictures[:-1], strict=True)]
    assert min(steps) > 0
    assert max(steps) < 30  # unrelated pictures differ by 85
    # At the end the window is centred on (100, 90 - 0.04 * 120) and 120 px wide.
    inner = photograph[26:145, 41:160]
    assert abs(pictures[-1].mean() - inner.mean()) < 3


def test_a_still_camera_over_the_whole_photograph_shows_it() -> None:
    photograph = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    (picture,) = pan_and_zoom(photograph, np.array([0.5]), center=(32, 32), windows=(64, 64), size=64)
    assert np.array_equal(picture, photograph)


def test_pixel_centres_stay_pixel_centres() -> None:
    photograph = np.repeat(3 * np.arange(64, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    (picture,) = pan_and_zoom(photograph, np.array([0.5]), center=(32, 32), windows=(32, 32), size=64)
    place = 16 + (np.arange(64) + 0.5) / 2  # px of the photograph
    np.testing.assert_allclose(picture[32, :, 0], 3 * (place - 0.5), atol=0.6)
    turned = photograph.transpose(1, 0, 2).copy()
    (picture,) = pan_and_zoom(turned, np.array([0.5]), center=(32, 32), windows=(32, 32), size=64)
    np.testing.assert_allclose(picture[:, 32, 0], 3 * (place - 0.5), atol=0.6)
