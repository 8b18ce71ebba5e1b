extension ´name´ {
  /// The class of a whole sample, as the network takes it.
  ///
  /// - Throws: ``ModelError``, or what the network says.
  public func classify(
    _ input: ´name´Input
  ) async throws -> Classification {
    try Facts.require(input.values)
    return try Classification(await network.predict(input.values), reading: Facts.reading)
  }
}
