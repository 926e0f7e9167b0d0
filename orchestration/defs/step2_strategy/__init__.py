"""Step 2, set strategy: what is worth doing for each, and who is held out."""
