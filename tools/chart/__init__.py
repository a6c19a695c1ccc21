"""The chart's values, and what is made of them: values.yaml, values.schema.json, the chart's README."""
