/// Numbers in row-major order, with their shape.
public struct Tensor<Element: Sendable & Equatable>: Sendable, Equatable {
  /// The length of each axis.
  public let shape: [Int]
  /// The numbers, the last axis running fastest.
  public var values: [Element]

  /// An array of a shape.
  ///
  /// - Throws: ``ModelError/shape(what:found:expected:)`` where the counts differ.
  public init(shape: [Int], values: [Element]) throws {
    guard shape.allSatisfy({ $0 >= 0 }), shape.reduce(1, *) == values.count else {
      throw ModelError.shape(
        what: "an array of shape \(shape)", found: "\(values.count) values",
        expected: "\(shape.reduce(1, *)) values")
    }
    self.shape = shape
    self.values = values
  }

  /// The same number everywhere.
  public init(shape: [Int], repeating value: Element) {
    self.shape = shape
    self.values = Array(repeating: value, count: shape.reduce(1, *))
  }

  /// An array whose counts are known to agree.
  init(_ shape: [Int], _ values: [Element]) {
    assert(shape.reduce(1, *) == values.count)
    self.shape = shape
    self.values = values
  }

  /// How many positions lie before, along and after an axis.
  func around(_ axis: Int) -> (outer: Int, along: Int, inner: Int) {
    (shape[..<axis].reduce(1, *), shape[axis], shape[(axis + 1)...].reduce(1, *))
  }

  /// The same places with other numbers.
  func map<Other>(_ change: (Element) throws -> Other) rethrows -> Tensor<Other> {
    Tensor<Other>(shape, try values.map(change))
  }
}

/// What an input takes or an output gives.
public enum Value: Sendable, Equatable {
  /// Numbers; of an input that is a picture, its levels 0 to 255, [1, channels, height, width].
  case floats(Tensor<Float>)
  /// Whole numbers.
  case integers(Tensor<Int32>)
  /// Probabilities by the name of the class.
  case byClass([String: Double])

  /// The numbers, whatever their type; those by class in the order of `labels`.
  func floats(_ name: String, labels: [String] = []) throws -> Tensor<Float> {
    switch self {
    case .floats(let tensor): return tensor
    case .integers(let tensor): return tensor.map { Float($0) }
    case .byClass(let shares):
      return Tensor([1, labels.count], try ordered(shares, by: labels, of: name).map { Float($0) })
    }
  }

  /// Whole numbers; what is no whole number is -1.
  func integers(_ name: String) throws -> Tensor<Int32> {
    switch self {
    case .integers(let tensor): return tensor
    case .floats(let tensor): return tensor.map { Int32(exactly: $0) ?? -1 }
    case .byClass:
      throw ModelError.value(
        what: "output \(name)", found: "probabilities by class", expected: "whole numbers")
    }
  }
}

private func ordered(_ shares: [String: Double], by labels: [String], of name: String) throws
  -> [Double]
{
  try labels.map { label in
    guard let share = shares[label] else {
      throw ModelError.missing(
        what: "output \(name)", found: "no probability of \(label)", expected: "one for each class")
    }
    return share
  }
}

extension [String: Value] {
  /// Numbers among values by name.
  func floats(_ name: String) throws -> Tensor<Float> {
    try found(name).floats(name)
  }

  /// Whole numbers among values by name.
  func integers(_ name: String) throws -> Tensor<Int32> {
    try found(name).integers(name)
  }

  /// Probabilities by class among values by name.
  func shares(_ name: String) throws -> [String: Double] {
    guard case .byClass(let shares) = try found(name) else {
      throw ModelError.value(
        what: "output \(name)", found: "an array", expected: "probabilities by class")
    }
    return shares
  }

  private func found(_ name: String) throws -> Value {
    guard let value = self[name] else {
      throw ModelError.missing(
        what: "output \(name)", found: keys.sorted().joined(separator: ", "),
        expected: "it among them")
    }
    return value
  }
}
