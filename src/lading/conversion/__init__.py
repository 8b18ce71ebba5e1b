"""From a module to a graph that a converter can say: capture, repairs, compatibility."""
