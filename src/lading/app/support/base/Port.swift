/// One input or output of the network.
public struct Port: Sendable, Equatable {
  /// What it is made of.
  public enum Kind: Sendable, Equatable {
    /// An array.
    case tensor
    /// A picture of grey levels.
    case grey
    /// A picture in colour.
    case rgb
    /// Probabilities by the name of the class.
    case byClass
  }

  /// The type of its numbers.
  public enum Element: Sendable, Equatable {
    case float16
    case float32
    case float64
    case int32
  }

  /// The sizes that it takes.
  public enum Sizes: Sendable, Equatable {
    /// Its shape alone.
    case fixed
    /// Any of these shapes.
    case listed([[Int]])
    /// Each axis from a least to a largest length, nil for none, and a multiple of a number.
    case ranges(least: [Int], largest: [Int?], multiples: [Int])
  }

  /// What values go through before the network.
  public enum Preparation: Sendable, Equatable {
    /// Nothing: they go in as they are.
    case asTheyAre
    /// (x - mean) / max(standard deviation, 1e-8) of each channel.
    case zscore
    /// Levels 0 to 255 to these bounds.
    case rescaled(low: Double, high: Double)
    /// Something that this package does not do: the note says what.
    case other(String)
  }

  /// As the model file spells it.
  public let name: String
  /// What it is made of.
  public let kind: Kind
  /// The type of its numbers.
  public let element: Element
  /// Its default shape.
  public let shape: [Int]
  /// The sizes that it takes.
  public let sizes: Sizes
  /// What values go through before the network.
  public let preparation: Preparation

  /// Whether it takes arrays of a shape.
  public func allows(_ given: [Int]) -> Bool {
    switch sizes {
    case .fixed:
      return given == shape
    case .listed(let shapes):
      return shapes.contains(given)
    case .ranges(let least, let largest, let multiples):
      return given.count == least.count
        && given.indices.allSatisfy { axis in
          given[axis] >= least[axis] && given[axis] <= largest[axis] ?? Int.max
            && given[axis] % multiples[axis] == 0
        }
    }
  }

  /// Passes only a shape that it takes.
  public func require(_ given: [Int]) throws {
    guard allows(given) else {
      throw ModelError.shape(what: "input \(name)", found: "\(given)", expected: expected)
    }
  }

  private var expected: String {
    switch sizes {
    case .fixed:
      return "\(shape)"
    case .listed(let shapes):
      return "one of \(shapes)"
    case .ranges(let least, let largest, let multiples):
      let axes = least.indices.map { axis in
        let top = largest[axis].map { "\($0)" } ?? "any"
        return "\(least[axis]) to \(top) by \(multiples[axis])"
      }
      return "axes of \(axes.joined(separator: ", "))"
    }
  }
}
