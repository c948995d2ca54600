"""Looking up addresses while somebody types: what a provider is, and the ones that come along."""
