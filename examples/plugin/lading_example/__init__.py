"""What this package brings to lading: a family of two linear layers, and a format of exported
programs."""
