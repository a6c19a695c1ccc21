"""What each pipeline step does: paths and plain values in, files and plain values out.

A component (components/<step>/component.py) only imports its function here and calls it, so that a step can be run and
tested without Kubeflow.
"""
