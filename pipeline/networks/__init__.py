"""The published systems: one module per paper, one function per model row."""
