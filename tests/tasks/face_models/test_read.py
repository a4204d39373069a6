import pytest

from tasks.face_models.read import read_shapes


def test_sources_need_a_path_that_is_there(tmp_path):
    with pytest.raises(ValueError, match="needs a source"):
        read_shapes("flame", None)
    with pytest.raises(ValueError, match="no face model source at"):
        read_shapes("ict", tmp_path / "none")


def test_the_kind_chooses_the_reader(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"")
    with pytest.raises(ValueError, match="a folder of meshes"):
        read_shapes("scans", tmp_path / "x.npz")
