"""Face models: readers of other people's files, the conversion to the native format, and its file."""
