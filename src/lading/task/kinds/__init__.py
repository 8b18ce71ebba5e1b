"""One file a kind of work; see `lading.task.Kind`."""
