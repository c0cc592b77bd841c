"""What a student handed in, made out without running any of it."""
