"""The generated world: entities, their facts and what names suggest, and the questions about them."""
