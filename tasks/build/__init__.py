"""From a catalogue of sources to a published version: what the build-dataset flow calls."""
