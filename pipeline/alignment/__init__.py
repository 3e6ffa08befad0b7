"""Forced aligners: each module places the words of utterances in time."""
