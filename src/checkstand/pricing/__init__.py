"""Pricing: the one door to totals. Facts go in, a quote comes out; pure and synchronous."""
