extension ´name´ {
  /// The class of every pixel of a picture, at the picture's own size.
  ///
  /// - Parameters:
  ///   - picture: in grey or in colour, of any size.
  ///   - fit: how it is brought before the network.
  ///   - mirroring: whether the mean over the turned pictures is taken, as the training's plans
  ///     allow: better, and several times the work.
  /// - Throws: ``ModelError``, or what the network says.
  public func segment(
    _ picture: Picture, fit: Fit = .resampled, mirroring: Bool = false
  ) async throws -> LabelMap {
    let segmenter = Segmenter(
      input: Facts.inputs[0], reading: Facts.reading, plans: Facts.plans, network: network)
    return try await segmenter.segment(picture, fit: fit, mirroring: mirroring)
  }
}
