"""The JSON Schemas of the language, as files that editors can use too."""
