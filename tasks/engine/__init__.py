"""How stages run: child processes with limits, shards of clips, the ledger of what is done."""
