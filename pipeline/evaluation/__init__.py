"""Test probabilities meet their labels: scores, intervals, differences."""
