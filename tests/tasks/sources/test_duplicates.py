"""Sources of the same content: one is kept, the others are rows that name it."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tasks.reasons import Reason
from tasks.sources.duplicates import mark_duplicates
from tasks.sources.source import ClipSource, make_clip_id


def clip(name, start_s=None, end_s=None):
    clip_id = make_clip_id("clips", name, start_s, end_s)
    return ClipSource(
        clip_id=clip_id,
        source_name=name,
        path=Path(name),
        video_id=clip_id,
        subject_id=name,
        subset="clips",
        start_s=start_s,
        end_s=end_s,
    )


def test_duplicates_name_the_clip_that_is_kept():
    sources = [clip("b"), clip("a"), clip("c"), clip("unread")]
    digests = {source.clip_id: "same" for source in sources[:2]} | {sources[2].clip_id: "other"}
    kept, duplicates = mark_duplicates(sources, digests)
    assert [source.source_name for source in kept] == ["a", "c", "unread"]
    (duplicate,) = duplicates
    assert duplicate.source_name == "b"
    assert duplicate.reason is Reason.DUPLICATE
    assert "'a'" in duplicate.detail
    assert sources[1].clip_id in duplicate.detail


def test_intervals_of_one_video_are_no_duplicates():
    sources = [clip("v", start_s=0.0, end_s=5.0), clip("v", start_s=5.0, end_s=9.0), clip("v")]
    kept, duplicates = mark_duplicates(sources, {source.clip_id: "same" for source in sources})
    assert len(kept) == 3
    assert not duplicates


@given(
    contents=st.dictionaries(st.text("abc/", min_size=1, max_size=4), st.sampled_from("xyz"), max_size=8),
    data=st.data(),
)
def test_every_source_is_kept_or_a_duplicate_whatever_the_order(contents, data):
    sources = [clip(name) for name in contents]
    digests = {source.clip_id: contents[source.source_name] for source in sources}
    kept, duplicates = mark_duplicates(data.draw(st.permutations(sources)), digests)
    assert sorted(entry.clip_id for entry in (*kept, *duplicates)) == sorted(digests)
    assert [entry.source_name for entry in kept] == sorted(
        min(name for name in contents if contents[name] == letter) for letter in set(contents.values())
    )
