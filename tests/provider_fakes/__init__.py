"""Stand-ins of the real services on loopback: they refuse what those refuse, and answer by a script."""
