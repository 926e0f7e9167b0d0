"""Step 4, evaluate: what the lists truly changed."""
