"""What any program needs: files, extras, progress, a terminal."""
