"""The command `outgrow`: one file a verb. Nothing heavy is imported before a verb runs."""
