"""Weight files of networks that are not trained here: from a folder or the Hub, safetensors only."""
