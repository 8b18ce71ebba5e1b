extension ´name´ {
  /// The class of a picture.
  ///
  /// - Throws: ``ModelError``, or what the network says.
  public func classify(_ picture: Picture) async throws -> Classification {
    let port = Facts.inputs[0]
    let prepared = try port.prepared(picture)
    return try Classification(
      await network.predict([port.name: .floats(prepared)]), reading: Facts.reading)
  }
}
