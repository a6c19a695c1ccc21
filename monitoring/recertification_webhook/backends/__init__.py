"""Where recertification runs: Kubeflow Pipelines, or child processes of this machine."""
