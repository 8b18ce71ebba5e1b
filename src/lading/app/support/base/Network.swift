/// What computes the outputs from the inputs, by their names in the model file.
///
/// In an app that is Core ML; a test may put anything else in its place.
public protocol Network: Sendable {
  /// The outputs for these inputs.
  func predict(_ inputs: [String: Value]) async throws -> [String: Value]
}
