"""What every room stands on: storage, digests, notices, shelves, drawing."""
