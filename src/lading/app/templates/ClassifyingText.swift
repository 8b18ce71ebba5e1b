extension ´name´ {
  /// The class of a text.
  ///
  /// - Throws: ``ModelError/text(what:found:expected:)`` where the network knows none of its
  ///   characters, or what the network says.
  public func classify(_ text: String) async throws -> Classification {
    try Facts.vocabulary.require(text)
    let port = Facts.inputs[0]
    let ids = Tensor(port.shape, Facts.vocabulary.ids(text))
    return try Classification(
      await network.predict([port.name: .integers(ids)]), reading: Facts.reading)
  }
}
