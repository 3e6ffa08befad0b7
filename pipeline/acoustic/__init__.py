"""Acoustic features: each module turns a waveform into (num_frames, feature_dim)."""
