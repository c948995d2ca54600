"""Reproducible measurements, each against a floor (DESIGN, "Speed"). Run them with `make bench`."""
