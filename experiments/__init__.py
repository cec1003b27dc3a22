"""Long trainings whose results are kept as text in docs/results/."""
