"""Speech for the denoiser: each frame's window of wav2vec2 layers becomes 32 context tokens (paper 7.1).

Every cross-attention to the prompt gets one to these tokens beside it, h + text(norm h) + speech(norm h). Its
output projection is zero at first, so that step 0 changes nothing. The adapter is a component of its own: the
denoiser's weights and their names do not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel, UNetMotionModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """Speech, as a denoiser call reads it: `cross_attention_kwargs={"speech": Speech(...)}`."""

    adapter: SpeechAdapter
    tokens: Tensor
    """Output of the adapter for the frames to denoise, (B, F, tokens, width)."""

    def attend(self, name: str, hidden_states: Tensor) -> Tensor:
        """Attend to speech beside the attention called `name`: its normed input (B * F, N, C) -> the same."""
        attention = self.adapter.attentions[_module_name(name)]
        heard: Tensor = attention(hidden_states, self.tokens.flatten(0, 1))
        return heard


class SpeechAdapter(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Projection to context tokens, and one cross-attention for each transformer block of a denoiser."""

    @register_to_config
    def __init__(
        self,
        *,
        sites: dict[str, list[int]],
        layers: int = 12,
        layer_width: int = 768,
        window_frames: int = 5,
        hidden_width: int = 512,
        tokens: int = 32,
        token_width: int = 768,
    ) -> None:
        """Set up.

        Args:
            sites: name of the denoiser's attention to the prompt -> [channels, heads].
            layers: hidden layers of the speech network.
            layer_width: channels of one layer.
            window_frames: frames of features around a frame, itself included.
            hidden_width: channels between the layers of the projection.
            tokens: context tokens for each frame.
            token_width: channels of a token.
        """
        super().__init__()
        # three linear layers on the concatenated features of adjacent frames (paper 7.1)
        self.projection = nn.Sequential(
            nn.Linear(window_frames * layers * layer_width, hidden_width),
            nn.ReLU(),
            nn.Linear(hidden_width, hidden_width),
            nn.ReLU(),
            nn.Linear(hidden_width, tokens * token_width),
        )
        self.norm = nn.LayerNorm(token_width)
        self.attentions = nn.ModuleDict(
            {
                _module_name(name): _silent_attention(channels, heads=heads, token_width=token_width)
                for name, (channels, heads) in sites.items()
            }
        )

    @classmethod
    def for_denoiser(cls, denoiser: UNet2DConditionModel | UNetMotionModel, **settings: Any) -> SpeechAdapter:
        """Make an adapter that fits the denoiser; settings as in __init__."""
        sites = {
            name: [module.query_dim, module.heads]
            for name, module in denoiser.named_modules()
            if name.endswith(".attn2") and "motion_modules" not in name
        }
        token_width = cast(Any, denoiser.config).cross_attention_dim
        return cast(SpeechAdapter, cls(sites=sites, **{"token_width": token_width, **settings}))

    def forward(self, windows: Tensor, keep: Tensor | None = None) -> Tensor:
        """Context tokens: windows (B, F, frames, layers, width) -> (B, F, tokens, token width).

        keep (B,) bool: samples that keep the speech; None = all. The others get tokens of zeros, whose keys
        and values are zero too.
        """
        projected = self.projection(windows.flatten(2).to(self.dtype))
        tokens: Tensor = self.norm(projected.unflatten(-1, (-1, self.norm.normalized_shape[0])))
        return tokens if keep is None else tokens.masked_fill(~keep.to(tokens.device)[:, None, None, None], 0)


def _silent_attention(channels: int, *, heads: int, token_width: int) -> Attention:
    attention = Attention(
        query_dim=channels, cross_attention_dim=token_width, heads=heads, dim_head=channels // heads
    )
    # zero output: at step 0 the frozen network is unchanged
    nn.init.zeros_(attention.to_out[0].weight)
    nn.init.zeros_(attention.to_out[0].bias)
    return attention


def _module_name(name: str) -> str:
    """Name of a site as a module name, which may have no dots; every site ends in .attn2."""
    return name.removesuffix(".attn2").replace(".", "_")
