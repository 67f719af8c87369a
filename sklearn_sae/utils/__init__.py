"""Parts that several rooms share; nothing here knows a stage."""
