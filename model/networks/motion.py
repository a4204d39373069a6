"""The video denoiser: joint denoiser, AnimateDiff's motion modules, motion frames (paper 4.2, 7.1, Fig. 2).

Motion frames are the clean latents of the frames before a chunk. They pass through the ReferenceNet; in every
motion module its features are put before the noisy frames on the frame axis and cut off afterwards.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, cast

import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import Tensor, nn

from model.networks.diffusers_hooks import ModelMixin as ModelMixin
from model.networks.diffusers_hooks import retype
from model.networks.reference import install_reference_attention

MotionFeatures = Mapping[str, Tensor]
"""Name of a motion module -> the ReferenceNet's features of the motion frames, (B, n, C, h, w)."""


class FrameNorm(nn.GroupNorm):
    """GroupNorm of each frame alone, as AnimateDiff's weights were trained.

    The library normalises all frames together: then a frame depends on the number of the others, and clean
    motion frames would change the statistics of noisy ones.
    """

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, F, h, w) -> the same."""
        ordered = frames.transpose(1, 2)
        return super().forward(ordered.flatten(0, 1)).reshape(ordered.shape).transpose(1, 2)


class MotionModule(AnimateDiffTransformer3D):  # type: ignore[misc]
    """A motion module that also reads motion frames; weights and their names are the library's."""

    gradient_checkpointing = False
    motion: Tensor | None = None
    """Features (B, n, C, h, w), set by VideoDenoiser for the length of a call."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: None = None,
        timestep: None = None,
        class_labels: None = None,
        num_frames: int = 1,
        cross_attention_kwargs: None = None,
    ) -> Tensor:
        """Attend along the frames: (B * F, C, h, w) -> the same. The mid block calls it by position."""
        del encoder_hidden_states, timestep, class_labels, cross_attention_kwargs
        if self.gradient_checkpointing and torch.is_grad_enabled():
            # motion frames are an argument: the backward pass recomputes with those of this call
            recomputed = self._gradient_checkpointing_func(
                self._beside_motion, hidden_states, num_frames, self.motion
            )
            return cast(Tensor, recomputed)
        return self._beside_motion(hidden_states, num_frames, self.motion)

    def _beside_motion(self, hidden_states: Tensor, num_frames: int, motion: Tensor | None) -> Tensor:
        if motion is None:
            return cast(Tensor, super().forward(hidden_states, num_frames=num_frames))
        frames = hidden_states.reshape(-1, num_frames, *hidden_states.shape[1:])
        # Fig. 2: motion features come first on the frame axis; positions 0 .. n - 1 are theirs
        both = torch.cat([motion.to(frames.dtype), frames], dim=1)
        attended: Tensor = super().forward(both.flatten(0, 1), num_frames=both.shape[1])
        return attended.reshape(both.shape)[:, motion.shape[1] :].flatten(0, 1)


class VideoDenoiser(UNetMotionModel):  # type: ignore[misc]
    """UNetMotionModel whose motion modules read motion frames; weights and config fit either class."""

    @functools.wraps(UNetMotionModel.__init__)  # type: ignore[misc]  # the config is read off the signature
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        for module in self.modules():
            if type(module) is AnimateDiffTransformer3D:
                retype(module, MotionModule)
                retype(module.norm, FrameNorm)
        install_reference_attention(self)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        *args: Any,
        motion: MotionFeatures | None = None,
        **settings: Any,
    ) -> Any:
        """Predict noise or velocity of all frames; the rest is as in UNetMotionModel.

        Args:
            sample: noisy latents (B, 8, F, h, w).
            timestep: noise levels (B,).
            encoder_hidden_states: prompt, (1 or B, M, D), not repeated for each frame.
            *args: passed on.
            motion: features of the motion frames of the B samples; None = no motion frames.
            **settings: passed on; reference and speech are `cross_attention_kwargs`.
        """
        features = motion or {}
        self._check_length(sample.shape[2], features)
        modules = dict(motion_modules(self))
        try:
            for name, module in modules.items():
                module.motion = features[name] if features else None
            return super().forward(sample, timestep, encoder_hidden_states, *args, **settings)
        finally:
            for module in modules.values():
                module.motion = None

    def _set_gradient_checkpointing(self, *args: Any, **settings: Any) -> None:
        super()._set_gradient_checkpointing(*args, **settings)
        if hasattr(self.mid_block, "motion_modules"):
            # its own checkpoint wraps the motion module from outside: the backward pass would call it again
            # without motion frames; MotionModule checkpoints itself
            self.mid_block.gradient_checkpointing = False

    def _check_length(self, frames: int, features: MotionFeatures) -> None:
        before = next(iter(features.values())).shape[1] if features else 0
        limit = cast(Any, self.config).motion_max_seq_length
        if before + frames > limit:
            raise ValueError(
                f"{before} motion frames + {frames} frames, the motion modules have {limit} positions; "
                "take shorter chunks"
            )


def video_denoiser(
    joint: UNet2DConditionModel, adapter: MotionAdapter, *, zero_output: bool
) -> VideoDenoiser:
    """Insert the adapter's motion modules into the joint denoiser: (B, 8, F, h, w) -> the same.

    zero_output: output projections start at zero, so that at step 0 every frame equals the joint denoiser's.
    Otherwise AnimateDiff's motion acts from the start, although it was trained for other features.
    """
    with torch.device(joint.device):
        video = cast(VideoDenoiser, VideoDenoiser.from_unet2d(joint, adapter))
    video.register_to_config(input_layout=cast(Any, joint.config).input_layout)
    if zero_output:
        for _, module in motion_modules(video):
            nn.init.zeros_(module.proj_out.weight)
            nn.init.zeros_(module.proj_out.bias)
    return video


def untrained_motion_adapter(joint: UNet2DConditionModel, *, max_frames: int = 32) -> MotionAdapter:
    """Make motion modules with random weights that fit the denoiser."""
    config = cast(Any, joint.config)
    with torch.device(joint.device):
        return MotionAdapter(
            block_out_channels=config.block_out_channels,
            motion_layers_per_block=config.layers_per_block,
            motion_num_attention_heads=config.num_attention_heads or config.attention_head_dim,
            motion_norm_num_groups=config.norm_num_groups,
            motion_max_seq_length=max_frames,
        )


def freeze_all_but_motion(video: VideoDenoiser) -> None:
    """Freeze everything that the joint stage has trained (paper 7.2)."""
    video.freeze_unet2d_params()


def motion_features(reference_net: UNet2DConditionModel, latents: Tensor, prompt: Tensor) -> MotionFeatures:
    """Run the ReferenceNet on the motion frames: latents (B, n, 4, h, w), prompt (1 or B, M, D).

    A motion module gets the ReferenceNet's features at the same place: the output of the transformer before
    it, or of the residual block on a level without transformers.
    """
    features: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor | tuple[Tensor]) -> None:
        frames = output[0] if isinstance(output, tuple) else output
        features[name] = frames.reshape(*latents.shape[:2], *frames.shape[1:])

    level = torch.zeros(latents.shape[0] * latents.shape[1], dtype=torch.long, device=latents.device)
    with ExitStack() as hooks:
        for name, module in _places(reference_net):
            hook = module.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
            hooks.callback(hook.remove)
        reference_net(latents.flatten(0, 1), level, prompt)
    return features


def motion_modules(video: UNetMotionModel) -> Iterator[tuple[str, MotionModule]]:
    """All motion modules by name."""
    for name, module in video.named_modules():
        if isinstance(module, MotionModule):
            yield name, module


def _places(reference_net: UNet2DConditionModel) -> Iterator[tuple[str, nn.Module]]:
    """Names of motion modules, each with the ReferenceNet's module whose output is at the same place."""
    blocks = {f"down_blocks.{index}": block for index, block in enumerate(reference_net.down_blocks)}
    blocks |= {f"up_blocks.{index}": block for index, block in enumerate(reference_net.up_blocks)}
    blocks["mid_block"] = reference_net.mid_block
    for name, block in blocks.items():
        for index, module in enumerate(getattr(block, "attentions", block.resnets)):
            yield f"{name}.motion_modules.{index}", module
