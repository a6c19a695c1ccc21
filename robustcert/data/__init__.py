"""Data: sources, contract, validation, the integer-grid data set that everything else reads, and its digests."""
