"""Nets and trainings in the forms that other tools read."""
