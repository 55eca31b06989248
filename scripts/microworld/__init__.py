"""Builds the base models of the microworld: text about the world, pretraining, the model card."""
