"""What schemas miss: named checks over all objects of one release, by subject; `every.py` lists them in order."""
