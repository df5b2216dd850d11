"""The rules about meaning, grouped by what they look at; each yields problems of one draft."""
