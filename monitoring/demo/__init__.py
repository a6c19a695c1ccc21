"""The whole loop on one machine: what `make demo` runs, and the programs that it starts."""
