import numpy as np

from rendering.face_model_pca import oriented_outwards, reduce_modes


def random_modes(count, *, vertices=40, seed=0):
    return np.random.default_rng(seed).standard_normal((count, vertices, 3)).astype(np.float32)


def test_all_modes_kept_keeps_the_covariance():
    modes = random_modes(6)
    reduced = reduce_modes(modes, count=6)
    before, after = modes.reshape(6, -1), reduced.modes.reshape(6, -1)
    np.testing.assert_allclose(after.T @ after, before.T @ before, atol=1e-4)
    np.testing.assert_allclose(reduced.energy_kept, 1.0)


def test_modes_are_orthogonal_sorted_and_the_best_of_their_number():
    modes = random_modes(12) * np.linspace(2, 0.1, 12, dtype=np.float32)[:, None, None]
    reduced = reduce_modes(modes, count=5)
    flat = reduced.modes.reshape(5, -1)
    energies = (flat**2).sum(axis=1)
    np.testing.assert_allclose(flat @ flat.T, np.diag(energies), atol=1e-3)
    assert (np.diff(energies) <= 0).all()
    singular = np.linalg.svd(modes.reshape(12, -1), compute_uv=False) ** 2
    np.testing.assert_allclose(reduced.energy_kept, singular[:5].sum() / singular.sum(), rtol=1e-5)


def test_fewer_modes_than_asked_are_filled_with_zeros():
    reduced = reduce_modes(random_modes(3), count=5)
    assert reduced.modes.shape == (5, 40, 3)
    assert not reduced.modes[3:].any()


def test_uncentred_so_a_constant_shift_is_a_mode():
    # Centred PCA would take the common part for the mean and move "neutral".
    modes = np.ones((4, 40, 3), np.float32)
    assert reduce_modes(modes, count=1).energy_kept > 0.999


def test_weights_decide_what_is_kept():
    modes = np.zeros((2, 2, 3), np.float32)
    modes[0, 0], modes[1, 1] = 1.0, 2.0
    assert not reduce_modes(modes, count=1).modes[0, 0].any()
    weighted = reduce_modes(modes, count=1, weights=np.array([100.0, 1.0], np.float32))
    assert not weighted.modes[0, 1].any()


def test_inside_out_meshes_are_turned_over():
    corners = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]], np.float32)
    outwards = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], np.int32)
    np.testing.assert_array_equal(oriented_outwards(corners, outwards), outwards)
    np.testing.assert_array_equal(oriented_outwards(corners, outwards[:, ::-1]), outwards)
