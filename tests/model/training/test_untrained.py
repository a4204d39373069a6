"""Untrained stages: samples and networks have the sizes of their profile."""

from __future__ import annotations

from model.networks.speech_adapter import SpeechAdapter
from model.training.activation_memory import shapes_only
from model.training.motion_step import motion_step
from model.training.profiles import paper, small
from model.training.untrained import pair_shapes, untrained_start, window_shapes


def test_samples_have_the_sizes_of_the_profile() -> None:
    assert pair_shapes(paper())["rgb"] == (4, 64, 64)
    assert pair_shapes(small())["reference"] == (4, 16, 16)
    windows = window_shapes(paper())
    assert windows["depth"] == (14, 4, 64, 64)
    assert windows["speech"] == (14, 5, 12, 768)


def test_a_pretrained_profile_gets_the_networks_of_stable_diffusion() -> None:
    """859,520,964 parameters of the public UNet, and four more channels in and out."""
    with shapes_only():
        start = untrained_start(paper())
        counts = [
            sum(held.numel() for held in net.parameters()) for net in (start.denoiser, start.reference_net)
        ]
        assert counts == [859_544_008, 859_520_964]
        assert start.prompt().shape == (1, 77, 768)


def test_the_speech_adapter_reads_what_a_window_holds() -> None:
    with shapes_only():
        adapter = motion_step(untrained_start(small()), small().motion).speech_adapter
    assert isinstance(adapter, SpeechAdapter)
    frames, layers, width = window_shapes(small())["speech"][1:]
    assert adapter.projection[0].in_features == frames * layers * width
