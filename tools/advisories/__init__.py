"""The scan of our components: every locked and shipped package against advisories, without a network."""
