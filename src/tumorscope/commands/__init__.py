"""The verbs, a file each; what two of them share lies below both."""
