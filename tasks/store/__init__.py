"""The store: content-addressed blobs, the ledger of finished stage actions, and dataset versions."""
