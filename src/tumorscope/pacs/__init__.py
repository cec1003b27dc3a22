"""Image archives: images in, answers back."""
