"""The published systems: one module for each paper, one function for each system."""

from pipeline.networks._system import Recipe, System, system

__all__ = ["Recipe", "System", "system"]
