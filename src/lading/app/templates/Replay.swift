@testable import ´name´

/// A replay of the golden vectors: no network runs.
///
/// It answers the inputs of a vector with the outputs of the original, and refuses any others.
struct Replay: Network {
  let vectors: [(name: String, inputs: [String: Value], outputs: [String: Value])]

  /// A replay of all vectors.
  init(_ golden: Golden) throws {
    vectors = try golden.vectors.map { vector in
      (
        vector.name, try Self.values(vector.inputs, Facts.inputs),
        try Self.values(vector.outputs, Facts.outputs)
      )
    }
  }

  /// See `Network`.
  func predict(_ inputs: [String: Value]) async throws -> [String: Value] {
    for vector in vectors where try Self.same(vector.inputs, inputs) {
      return vector.outputs
    }
    throw ModelError.value(
      what: "the replay", found: "inputs that are no golden vector's",
      expected: "those of one of the \(vectors.count)")
  }

  /// Arrays of a vector as the ports have them.
  static func values(_ stored: [String: Golden.Stored], _ ports: [Port]) throws -> [String: Value] {
    var values: [String: Value] = [:]
    for port in ports {
      guard let one = stored[port.name] else { continue }
      let numbers = try Golden.numbers(one)
      if port.kind == .byClass {
        values[port.name] = .byClass(
          Dictionary(
            uniqueKeysWithValues: zip(
//% if reading %//
              Facts.labels, numbers)))
//% else %//
              numbers.indices.map { "\($0)" }, numbers)))
//% endif %//
      } else if port.element == .int32, port.kind == .tensor {
        values[port.name] = .integers(
          try Tensor(shape: one.shape, values: numbers.map { Int32($0) }))
      } else {
        values[port.name] = .floats(
          try Tensor(shape: one.shape, values: numbers.map { Float($0) }))
      }
    }
    return values
  }

  /// Whether inputs are a vector's, but for a rounding in the last bit of the largest.
  private static func same(_ golden: [String: Value], _ given: [String: Value]) throws -> Bool {
    try golden.allSatisfy { name, value in
      guard let other = given[name] else { return false }
      let (one, two) = (try value.floats(name), try other.floats(name))
      let largest = one.values.reduce(1) { max($0, $1.magnitude) }
      let worst = Golden.worst(one.values.map { Double($0) }, two.values.map { Double($0) })
      return one.shape == two.shape && worst <= 1e-6 * Double(largest)
    }
  }
}

extension ´name´Input {
  /// The input that has these values.
  init(values: [String: Value]) throws {
    try self.init(
//% for port in inputs %//
//% set variable = port.variable %//
//% if not loop.last %//
      ´variable´: values.´port.reader´(´port.name´),
//% else %//
      ´variable´: values.´port.reader´(´port.name´)
//% endif %//
//% endfor %//
    )
  }
}
//% if denoiser %//

/// A replay of the original's walk, move by move; it refuses any other x, and any other time.
actor WalkReplay: Network {
  private let x: [[Double]]
  private let times: [Double]
  private let answers: [Tensor<Float>]
  /// How many moves were asked for.
  private(set) var asked = 0

  init(_ walk: Golden.Walk) throws {
    x = try ([walk.start] + walk.x).map { try Golden.numbers($0) }
    times = walk.timesteps
    answers = try walk.answers.map { stored in
      try Tensor(shape: stored.shape, values: Golden.numbers(stored).map { Float($0) })
    }
  }

  /// See `Network`.
  func predict(_ inputs: [String: Value]) async throws -> [String: Value] {
    guard asked < answers.count,
      let given = try inputs[Facts.inputs[0].name]?.floats("x").values.map({ Double($0) }),
      let time = try inputs[Facts.inputs[1].name]?.floats("time").values.first
    else {
      throw refused("no more moves")
    }
    let largest = x[asked].reduce(1) { max($0, $1.magnitude) }
    let worst = Golden.worst(given, x[asked])
    guard worst <= 1e-5 * largest, time == Float(times[asked]) else {
      throw refused("x that differs by \(worst), at time \(time)")
    }
    asked += 1
    return [Facts.outputs[0].name: .floats(answers[asked - 1])]
  }

  private func refused(_ found: String) -> ModelError {
    .value(
      what: "the replay of a walk", found: found, expected: "move \(asked + 1) of the original")
  }
}
//% endif %//
