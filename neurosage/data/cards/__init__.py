"""What a folder says of a teacher: card.toml, read, written, begun."""
