/// The class of a whole sample.
public struct Classification: Sendable, Equatable {
  /// One class and how probable it is.
  public struct Choice: Sendable, Equatable {
    /// The name of the class.
    public let label: String
    /// 0 to 1.
    public let probability: Double
  }

  /// The name of the class; "no class" where the network gave no answer.
  public let label: String
  /// Every class with its probability, in the network's order; empty where it gives labels alone.
  public let probabilities: [Choice]

  /// The probability of the class that was chosen, where it is known.
  public var probability: Double? {
    probabilities.first { $0.label == label }?.probability
  }

  /// The `count` most probable classes, the most probable first.
  public func top(_ count: Int) -> [Choice] {
    let ranked = probabilities.enumerated().sorted { one, other in
      one.element.probability == other.element.probability
        ? one.offset < other.offset : one.element.probability > other.element.probability
    }
    return ranked.prefix(max(count, 0)).map { $0.element }
  }

  init(_ outputs: [String: Value], reading: Reading) throws {
    guard let labels = try reading.labels(outputs), let label = labels.values.first else {
      throw ModelError.unsupported(
        what: "the outputs", found: "none that chooses one class",
        expected: "a score for each class, or the class")
    }
    let shares = try reading.probabilities(outputs)?.values ?? []
    guard shares.isEmpty || shares.count == reading.names.count else {
      throw ModelError.shape(
        what: "probabilities", found: "\(shares.count)", expected: "\(reading.names.count)")
    }
    self.label = reading.name(label)
    probabilities = zip(reading.names, shares).map { Choice(label: $0, probability: $1) }
  }
}
