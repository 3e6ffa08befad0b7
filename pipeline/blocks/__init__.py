"""Layers that several networks share, one kind per module."""
