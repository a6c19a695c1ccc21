"""The recertification controller: from triggers to exactly one pipeline run for each episode and model version."""
