"""Checks of raw data against their contract, one file per subject; `robustcert.data.validation` gives their order."""
