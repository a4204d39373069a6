from __future__ import annotations

import json

import pytest
import torch
from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, Wav2Vec2Config, Wav2Vec2Model

from model.networks.denoiser import joint_denoiser
from model.networks.motion import untrained_motion_adapter, video_denoiser
from model.networks.pretrained import (
    PROMPT_FILE,
    load_empty_prompt,
    load_motion_adapter,
    load_unet,
    load_vae,
    save_empty_prompt,
)
from model.networks.reference import install_reference_attention
from tests.model.tiny_networks import inputs

WEIGHTS = "diffusion_pytorch_model.safetensors"
WIDTH = 32
UNET = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.6.0",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [32, 64, 64, 64],
    "center_input_sample": False,
    "cross_attention_dim": WIDTH,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 8,
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}
VAE = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.6.0",
    "act_fn": "silu",
    "block_out_channels": [8, 16, 16, 16],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 8,
    "out_channels": 3,
    "sample_size": 64,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
TEXT = {
    "_name_or_path": "openai/clip-vit-large-patch14",
    "architectures": ["CLIPTextModel"],
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "dropout": 0.0,
    "eos_token_id": 2,
    "hidden_act": "quick_gelu",
    "hidden_size": WIDTH,
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "pad_token_id": 1,
    "torch_dtype": "float32",
    "transformers_version": "4.22.0.dev0",
    "vocab_size": 4,
}
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def write(folder, config, weights, *, file=WEIGHTS):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()}, folder / file, {"format": "pt"}
    )


def old_name(name):
    """The public VAE files still name the mid block's attention as in 2022."""
    if "mid_block.attentions" in name:
        for new, old in OLD_NAMES.items():
            name = name.replace(f".{new}.", f".{old}.")
    return name


def write_tokenizer(folder):
    folder.mkdir()
    (folder / "vocab.json").write_text('{"!": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}')
    (folder / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>"}
    special |= dict.fromkeys(("eos_token", "pad_token", "unk_token"), "<|endoftext|>")
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    settings = {"add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": 77}
    settings |= {"tokenizer_class": "CLIPTokenizer", **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    unet, vae = UNet2DConditionModel.from_config(UNET), AutoencoderKL.from_config(VAE)
    text = CLIPTextModel(CLIPTextConfig.from_dict(TEXT))
    return unet.eval(), vae.eval(), text.eval()


@pytest.fixture
def folder(networks, tmp_path):
    """The files of the public Stable Diffusion 1.5 folder that matter, with tiny random weights."""
    unet, vae, text = networks
    write(tmp_path / "unet", UNET, unet.state_dict())
    write(tmp_path / "vae", VAE, {old_name(name): tensor for name, tensor in vae.state_dict().items()})
    weights = {f"text_model.{name}": tensor for name, tensor in text.state_dict().items()}
    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    write(tmp_path / "text_encoder", TEXT, weights, file="model.safetensors")
    write_tokenizer(tmp_path / "tokenizer")
    return tmp_path


def edit(path, *, drop=None, add=None, change=None):
    weights = load_file(path)
    if drop:
        del weights[drop]
    if add:
        weights[add] = torch.zeros(1)
    if change:
        weights[change] = torch.zeros(3)
    save_file(weights, path, {"format": "pt"})


def same(loaded, original):
    expected = original.state_dict()
    state = loaded.state_dict()
    return state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in state)


def test_all_weights_of_the_folder_arrive(folder, networks):
    unet, vae, _ = networks
    assert same(load_unet(folder), unet)
    assert same(load_vae(folder), vae)
    assert load_vae(folder).config.scaling_factor == 0.18215


@torch.no_grad()
def test_the_folder_becomes_a_joint_denoiser(folder, networks):
    """What the stages do with the real one, at toy size."""
    latents, level, _ = inputs(8)
    prompt = load_empty_prompt(folder)
    joint = install_reference_attention(joint_denoiser(load_unet(folder)))
    original = networks[0](latents[:, :4], level, prompt.expand(2, -1, -1)).sample
    torch.testing.assert_close(joint(latents, level, prompt).sample[:, :4], original, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_empty_prompt_is_start_end_and_padding(folder, networks):
    expected = networks[2](torch.tensor([[2] + [3] * 76])).last_hidden_state
    assert torch.equal(load_empty_prompt(folder), expected)


def test_a_stored_prompt_needs_no_text_encoder(tmp_path):
    prompt = torch.randn(1, 77, WIDTH)
    save_empty_prompt(prompt, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [PROMPT_FILE]
    assert torch.equal(load_empty_prompt(tmp_path), prompt)


@pytest.mark.parametrize(
    ("load", "file", "key"),
    [
        (load_unet, f"unet/{WEIGHTS}", "conv_out.bias"),
        (load_vae, f"vae/{WEIGHTS}", "decoder.conv_in.bias"),
        (load_empty_prompt, "text_encoder/model.safetensors", "final_layer_norm.bias"),
    ],
)
def test_missing_and_left_over_keys_are_named(folder, load, file, key):
    stored = f"text_model.{key}" if "text" in file else key
    edit(folder / file, drop=stored, add="lora.up")
    with pytest.raises(ValueError, match=f"{key} missing; lora.up left over") as caught:
        load(folder)
    assert file.split("/")[0] in str(caught.value)


def test_another_shape_is_named(folder):
    edit(folder / "unet" / WEIGHTS, change="conv_out.bias")
    with pytest.raises(ValueError, match=r"conv_out\.bias expected shape"):
        load_unet(folder)


def test_many_keys_are_counted(folder, networks):
    weights = {name: networks[0].state_dict()[name] for name in ("conv_in.weight", "conv_in.bias")}
    write(folder / "unet", UNET, weights)
    with pytest.raises(ValueError, match=r"conv_norm_out.bias, .* and \d+ more missing"):
        load_unet(folder)


def test_pickled_weights_are_not_read(folder):
    path = folder / "unet" / WEIGHTS
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    with pytest.raises(FileNotFoundError, match="pickled weights are not read"):
        load_unet(folder)


@pytest.mark.parametrize("sinusoids", [True, False])
def test_a_motion_adapter_folder_with_and_without_its_sinusoids(networks, tmp_path, sinusoids):
    joint = joint_denoiser(networks[0])
    adapter = untrained_motion_adapter(joint)
    adapter.save_pretrained(tmp_path)
    weights = {
        name: tensor
        for name, tensor in load_file(tmp_path / WEIGHTS).items()
        if sinusoids or not name.endswith("pos_embed.pe")
    }
    save_file(weights, tmp_path / WEIGHTS, {"format": "pt"})
    loaded = load_motion_adapter(tmp_path)
    assert same(loaded, adapter)
    video = video_denoiser(joint, loaded, zero_output=False)
    name = "mid_block.motion_modules.0.proj_out.weight"
    assert torch.equal(video.state_dict()[name], adapter.state_dict()[name])


def test_a_motion_adapter_of_another_version_is_refused(networks, tmp_path):
    untrained_motion_adapter(joint_denoiser(networks[0])).save_pretrained(tmp_path)
    edit(tmp_path / WEIGHTS, drop="mid_block.motion_modules.0.norm.weight")
    with pytest.raises(ValueError, match=r"mid_block.motion_modules.0.norm.weight missing"):
        load_motion_adapter(tmp_path)


def test_parameter_counts_of_the_real_networks_without_their_weights():
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        adapter, speech = MotionAdapter(), Wav2Vec2Model(Wav2Vec2Config())
    assert [millions(network) for network in (unet, adapter, speech)] == [859.521, 453.209, 94.372]
    video = video_denoiser(joint_denoiser(unet), adapter, zero_output=True)
    assert millions(video) == 1312.753


def millions(network):
    return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 3)
