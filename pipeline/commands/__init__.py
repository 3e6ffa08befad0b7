"""What the `serflow` command does, one module for each command."""
