"""Face models: readers of other people's files, conversion to the native format, and the native file."""
