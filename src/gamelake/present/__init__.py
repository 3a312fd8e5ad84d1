"""How things look everywhere: terminal tables, number formats, page parts, charts, static files."""
