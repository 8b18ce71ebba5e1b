"""The operations of the Core ML runtime, one file per subject; `registry` finds them."""
