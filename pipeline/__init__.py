"""SERflow: speech emotion recognition from recordings to tracked metrics."""

__version__ = "0.1.0"
