"""What the ledger says, as tables and a graph, now and as of any date."""
