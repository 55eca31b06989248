"""Who answers. `outgrow.supervisors.local` asks a model on this machine (needs the extra `train`)."""
