"""Any OpenAI-compatible endpoint as a supervisor."""
