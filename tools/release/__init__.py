"""`make release`: a version's commit and everything that users download, made together or not at all."""
