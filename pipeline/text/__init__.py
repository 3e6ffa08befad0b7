"""Word and token embeddings: each module turns words into vectors."""
