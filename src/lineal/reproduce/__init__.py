"""Plan, run and compare a model's making again."""
