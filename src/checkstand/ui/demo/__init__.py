"""The demo shop: a catalogue and tax rates to try everything with. All names are made up."""

from pathlib import Path

PRODUCTS = Path(__file__).parent / "products.csv"
"""In the format of a WooCommerce product export; prices are meant for a currency with cents."""

TAX_RATES = Path(__file__).parent / "tax_rates.csv"
"""In the format of a WooCommerce tax rate export."""
