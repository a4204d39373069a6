"""source.json beside the media files: what the report says of a source."""

import pytest

from tasks.dataset.source_facts import source_facts
from tasks.sources.scan import SourceSettings


def facts(folder):
    (found,) = source_facts(SourceSettings(studio=(folder,)))
    return found.label, found.kind, found.synthetic, found.licence


def test_a_folder_without_a_card_has_the_label_of_its_data_set(tmp_path):
    assert facts(tmp_path) == ("studio", "studio", False, "unknown")


def test_the_card_names_label_and_licence(tmp_path):
    (tmp_path / "source.json").write_text('{"label": "our rig", "synthetic": true, "licence": "CC0-1.0"}')
    assert facts(tmp_path) == ("our rig", "studio", True, "CC0-1.0")


@pytest.mark.parametrize("text", ["{}", "[", '{"label": "x", "license": "misspelt"}'])
def test_a_wrong_card_is_an_error_that_names_file_and_page(tmp_path, text):
    (tmp_path / "source.json").write_text(text)
    with pytest.raises(ValueError, match=r"source\.json: .*docs/formats/clips\.md"):
        facts(tmp_path)
