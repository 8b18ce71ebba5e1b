import Foundation

/// How outputs are read: scores become labels and probabilities here and nowhere else.
public struct Reading: Sendable, Equatable {
  /// What the outputs hold.
  public enum Source: Sendable, Equatable {
    /// An output of a score for each class, and the axis of the classes.
    case scores(output: String, axis: Int)
    /// An output of labels.
    case labels(output: String)
    /// Neither.
    case nothing
  }

  /// From scores to probabilities.
  public enum Activation: Sendable, Equatable {
    /// One class each.
    case softmax
    /// Several at once.
    case sigmoid
    /// They are probabilities already.
    case none
  }

  /// What the outputs hold.
  public let source: Source
  /// From scores to probabilities.
  public let activation: Activation
  /// Of classes that may stand over one another: the label of each, in the order of painting.
  public let regions: [Int32]
  /// Whether several classes may hold at once.
  public let several: Bool
  /// The names of the classes.
  public let names: [String]

  /// The label of a position that belongs to no class.
  public static let noClass: Int32 = -1

  /// A label for people.
  public func name(_ label: Int32) -> String {
    if label < 0 {
      return "no class"
    }
    return names.indices.contains(Int(label)) ? names[Int(label)] : "class \(label)"
  }

  /// The labels that the outputs choose, the axis of classes left out; nil where they choose none.
  public func labels(_ outputs: [String: Value]) throws -> Tensor<Int32>? {
    switch source {
    case .scores(let output, let axis):
      let scores = try value(output, in: outputs).floats(output, labels: names)
      return try labels(scores: scores, axis: axis)
    case .labels(let output):
      return try value(output, in: outputs).integers(output).map { max($0, Self.noClass) }
    case .nothing:
      return nil
    }
  }

  /// The labels of scores: the place of the largest, or the regions painted over one another.
  func labels(scores: Tensor<Float>, axis: Int) throws -> Tensor<Int32>? {
    if !several {
      return Labels.likeliest(scores, axis: axis)
    }
    guard !regions.isEmpty else { return nil }
    guard scores.shape[axis] == regions.count else {
      throw ModelError.shape(
        what: "scores of regions", found: "\(scores.shape[axis])", expected: "\(regions.count)")
    }
    return Labels.painted(
      scores, axis: axis, regions: regions, above: activation == .none ? 0.5 : 0)
  }

  /// The probabilities of the classes of a whole sample, [N, classes]; nil where there are none.
  public func probabilities(_ outputs: [String: Value]) throws -> Tensor<Double>? {
    guard case .scores(let output, let axis) = source else { return nil }
    let scores = try value(output, in: outputs).floats(output, labels: names)
    guard scores.shape.count == 2 else { return nil }
    return Labels.activated(scores, activation, axis: axis)
  }

  private func value(_ name: String, in outputs: [String: Value]) throws -> Value {
    guard let value = outputs[name] else {
      throw ModelError.missing(
        what: "output \(name)", found: outputs.keys.sorted().joined(separator: ", "),
        expected: "it among them")
    }
    return value
  }
}

/// The arithmetic of labels.
enum Labels {
  /// The place of the largest score along an axis, the first of equal ones.
  ///
  /// It is ``Reading/noClass`` where a score is no number, or the largest is infinite.
  static func likeliest(_ scores: Tensor<Float>, axis: Int) -> Tensor<Int32> {
    let (outer, classes, inner) = scores.around(axis)
    var labels = [Int32](repeating: Reading.noClass, count: outer * inner)
    for place in labels.indices where classes > 0 {
      let first = place / inner * classes * inner + place % inner
      var best = 0
      var known = true
      for one in 0..<classes {
        let score = scores.values[first + one * inner]
        known = known && !score.isNaN
        if score > scores.values[first + best * inner] {
          best = one
        }
      }
      if known, scores.values[first + best * inner].isFinite {
        labels[place] = Int32(best)
      }
    }
    return Tensor(without(axis, scores.shape), labels)
  }

  /// Regions that are painted over one another, each where its score exceeds a threshold.
  static func painted(
    _ scores: Tensor<Float>, axis: Int, regions: [Int32], above threshold: Float
  ) -> Tensor<Int32> {
    let (outer, classes, inner) = scores.around(axis)
    var labels = [Int32](repeating: 0, count: outer * inner)
    for place in labels.indices {
      let first = place / inner * classes * inner + place % inner
      let here = (0..<classes).map { scores.values[first + $0 * inner] }
      if here.contains(where: { $0.isNaN }) {
        labels[place] = Reading.noClass
      } else if let top = here.lastIndex(where: { $0 > threshold }) {
        labels[place] = regions[top]
      }
    }
    return Tensor(without(axis, scores.shape), labels)
  }

  /// Probabilities of scores, in `Double`; none is a number where a score is not.
  static func activated(
    _ scores: Tensor<Float>, _ activation: Reading.Activation, axis: Int
  ) -> Tensor<Double> {
    let wide = scores.map { Double($0) }
    switch activation {
    case .none:
      return wide
    case .sigmoid:
      return wide.map { 1 / (1 + exp(-$0)) }
    case .softmax:
      let (outer, classes, inner) = scores.around(axis)
      var shares = wide.values
      for place in 0..<(outer * inner) {
        let first = place / inner * classes * inner + place % inner
        let places = (0..<classes).map { first + $0 * inner }
        let largest = places.reduce(-Double.infinity) { most, at in
          most.isNaN || wide.values[at].isNaN ? .nan : max(most, wide.values[at])
        }
        let powers = places.map { exp(wide.values[$0] - largest) }
        let total = powers.reduce(0, +)
        for (at, power) in zip(places, powers) {
          shares[at] = power / total
        }
      }
      return Tensor(scores.shape, shares)
    }
  }

  private static func without(_ axis: Int, _ shape: [Int]) -> [Int] {
    Array(shape[..<axis] + shape[(axis + 1)...])
  }
}
