"""Rules that name the person of a clip."""

import pytest

from tasks.sources.subjects import SubjectSettings, hdtf_person, read_subjects, subject_of


@pytest.mark.parametrize(
    ("rule", "name", "subject"),
    [
        ("parent-folder", "anna/one.mp4", "anna"),
        ("parent-folder", "set/anna/one.mp4", "set/anna"),
        ("parent-folder", "one.mp4", "one"),
        ("file-stem", "anna/one.mp4", "one"),
        ("hdtf-name", "x/AdamSchiff1_0.mp4", "AdamSchiff"),
        ("hdtf-name", "WDA_AdamSchiff_003.mp4", "WDA_AdamSchiff"),
        ("hdtf-name", "123.mp4", "123"),
    ],
)
def test_rules(rule, name, subject):
    assert subject_of(name, rule=rule, table={}) == subject


def test_person_of_a_video():
    assert [hdtf_person(name) for name in ("RandPaul12", "RandPaul", "7")] == ["RandPaul", "RandPaul", "7"]


def table(tmp_path, text):
    path = tmp_path / "subjects.csv"
    path.write_bytes(text.encode())
    return SubjectSettings(rule="csv", table=path)


def test_csv(tmp_path):
    text = '\ufeffsource_name,subject_id\na.mp4,anna\n"b, ""c"".mp4",ben\n'
    subjects = read_subjects(table(tmp_path, text))
    assert subject_of('b, "c".mp4', rule="csv", table=subjects) == "ben"
    assert subject_of("a.mp4", rule="csv", table=subjects) == "anna"
    with pytest.raises(ValueError, match=r"lacks 'd\.mp4'"):
        subject_of("d.mp4", rule="csv", table=subjects)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", ":1:"),
        ("name,subject\na,b\n", ":1:"),
        ("source_name,subject_id\na.mp4,x\nb.mp4\n", ":3:"),
        ("source_name,subject_id\na.mp4,x\n\n", ":3:"),
        ("source_name,subject_id\na.mp4, \n", ":2:"),
        ("source_name,subject_id\na.mp4,x\na.mp4,y\n", ":3:.*twice"),
    ],
)
def test_wrong_line_is_named(tmp_path, text, where):
    with pytest.raises(ValueError, match=f"subjects.csv{where}"):
        read_subjects(table(tmp_path, text))


def test_csv_rule_needs_its_table():
    with pytest.raises(ValueError, match=r"subjects\.table"):
        read_subjects(SubjectSettings(rule="csv"))
