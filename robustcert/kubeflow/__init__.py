"""Kubeflow Pipelines over its v2beta1 REST interface: upload pipelines, start each run once, watch it. No kfp here."""
