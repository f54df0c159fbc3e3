"""The commands, one module each, bearing its name. Light: what a command needs is imported when it is called."""
