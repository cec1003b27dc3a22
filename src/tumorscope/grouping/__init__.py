"""What belongs together, and which part of a data set each image goes to."""
