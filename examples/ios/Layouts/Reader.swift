import LayoutClassifier

/// From a text to the layout that it was typed in.
struct Reader: Sendable {
  private let network = LayoutClassifier()

  /// The layout, and the three most probable ones in words: "ghbdtn" is ru_from_en.
  func read(_ text: String) async throws -> (layout: String, lines: [String]) {
    let found = try await network.classify(text)
    let lines = found.top(3).map { "\($0.label): \(Int(($0.probability * 100).rounded())) %" }
    return (found.label, lines)
  }
}
