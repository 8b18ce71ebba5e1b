"""Where the constants of an artifact come from: which tensor of the checkpoint each one holds."""
