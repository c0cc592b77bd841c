"""Images on disk and in memory, and the episodes drawn from them."""
