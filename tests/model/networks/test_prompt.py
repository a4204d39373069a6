from __future__ import annotations

import torch
from diffusers import DiffusionPipeline

from model.networks.prompt import Prompt


class Pipeline(DiffusionPipeline):
    def __init__(self, prompt):
        super().__init__()
        self.register_modules(prompt=prompt)


def test_it_gives_back_its_embedding_and_trains_nothing():
    embedding = torch.randn(1, 3, 16)
    prompt = Prompt.from_embedding(embedding)
    assert torch.equal(prompt(), embedding)
    assert not list(prompt.parameters())


def test_it_is_saved_and_loaded_with_a_pipeline(tmp_path):
    prompt = Prompt.from_embedding(torch.randn(1, 3, 16))
    Pipeline(prompt).save_pretrained(tmp_path)
    loaded = Pipeline.from_pretrained(tmp_path).prompt
    assert type(loaded) is Prompt
    assert torch.equal(loaded(), prompt())
    assert not list(tmp_path.rglob("*.bin"))
