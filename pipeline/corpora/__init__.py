"""Corpus readers: each module yields the utterances of one corpus layout."""
