"""Dataset versions: from sources to a published version, and from a version to what training reads."""
