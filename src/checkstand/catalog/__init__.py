"""The catalogue: products and variations, how they are kept, cached, matched and imported."""
