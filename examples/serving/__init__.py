"""An example of a serving process that counts in its certificate's bins; see examples/serving/app.py."""
