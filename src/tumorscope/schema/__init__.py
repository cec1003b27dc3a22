"""The documented schemas: recipes, results, cards, audits, comparisons and class names."""
