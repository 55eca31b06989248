"""outgrow: train a strong model on labels that cannot be fully trusted, and measure how far it outgrows its teacher."""

__version__ = "0.1.0"
