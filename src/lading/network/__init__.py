"""What the tensors are: families, the user's own code, the weighing of evidence, settling."""
