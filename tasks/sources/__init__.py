"""Where clips and captures come from: scans of folders and data sets, and their digests."""
