/// Where a walk is after a move.
public struct Step: Sendable, Equatable {
  /// Of the move, from 1.
  public let number: Int
  /// Moves in all.
  public let of: Int
  /// x after the move, [1, channels, ...]; after the last one, the picture.
  public let x: Tensor<Float>
  /// The estimate of the picture on the way; nil where there is none.
  public let picture: Tensor<Float>?
}

/// A diffusion network, as the samplers call it.
struct Denoiser: Sendable {
  /// What the training was, and by what names the network is called.
  struct Facts: Sendable, Equatable {
    let kind: Schedule.Kind
    let trained: Int
    let respacing: String
    let rescaled: Bool
    let answer: Process.Answer
    let variance: Process.Variance
    /// Of classes 0 to this; nil where it knows none.
    let lastClass: Int?
    /// Whether the model is one step of sampling, with its schedule and its sampler inside.
    let isStep: Bool
  }

  let facts: Facts
  let inputs: [Port]
  let output: Port
  let network: any Network

  /// The process of the network, in a respacing.
  func process(_ respacing: String, clip: Bool) throws -> Process {
    Process(
      schedule: try Schedule(
        facts.kind, trained: facts.trained, respacing: respacing, rescaled: facts.rescaled),
      answer: facts.answer, variance: facts.variance, clip: clip)
  }

  /// The respacing where nobody names one: the network's own, else as many steps as are usual.
  func usual(_ sampler: Sampler) -> String {
    if !facts.respacing.isEmpty {
      return facts.respacing
    }
    return facts.trained <= sampler.usualSteps ? "" : "\(sampler.usualSteps)"
  }

  /// The network's answer for x at a time.
  func answer(_ x: Tensor<Float>, time: Double, label: Int?, noise: [Float]? = nil) async throws
    -> Tensor<Float>
  {
    try inputs[0].require(x.shape)
    var values: [String: Value] = [inputs[0].name: .floats(x)]
    values[inputs[1].name] = number(time, for: inputs[1])
    if let noise {
      values[inputs[2].name] = .floats(Tensor(x.shape, noise))
    } else if inputs.count > 2 {
      values[inputs[2].name] = number(Double(try known(label)), for: inputs[2])
    } else if let label {
      throw ModelError.value(
        what: "class \(label)", found: "a network without classes", expected: "no class")
    }
    guard let answer = try await network.predict(values)[output.name] else {
      throw ModelError.missing(
        what: "output \(output.name)", found: "nothing", expected: "the network's answer")
    }
    return try answer.floats(output.name)
  }

  private func number(_ value: Double, for port: Port) -> Value {
    port.element == .int32
      ? .integers(Tensor(shape: port.shape, repeating: Int32(value)))
      : .floats(Tensor(shape: port.shape, repeating: Float(value)))
  }

  private func known(_ label: Int?) throws -> Int {
    let last = facts.lastClass ?? -1
    guard let label, (0...max(last, 0)).contains(label), last >= 0 else {
      throw ModelError.value(
        what: "the class", found: label.map { "\($0)" } ?? "none", expected: "0 to \(last)")
    }
    return label
  }
}

/// One walk from noise to a picture.
struct Walk: Sendable {
  let denoiser: Denoiser
  let process: Process
  let sampler: Sampler
  let seed: UInt64
  let picture: UInt32
  let label: Int?
  let shape: [Int]

  /// Walks; `moved` is told of every move, and a cancelled task ends it.
  ///
  /// Draw 0 of the noise is where the walk starts; move m, from 1, takes draw 2m for itself and
  /// 2m + 1 for the known part of the picture.
  func run(start: Tensor<Float>?, moved: (Step) -> Void) async throws -> Tensor<Float> {
    if case .repaint(let repaint) = sampler {
      try repaint.require(shape)
    }
    var x = start ?? Tensor(shape, noise(0))
    let moves = sampler.plan(process.schedule.steps)
    for (place, move) in moves.enumerated() {
      try Task.checkCancellation()
      let number = UInt32(place + 1)
      var estimate: Tensor<Float>?
      if move.back {
        let answer = try await denoiser.answer(
          x, time: process.schedule.timestep(move.index), label: label)
        let prediction = try process.read(answer, x: x, index: move.index)
        x = sampler.back(process, prediction, x: x, index: move.index) { noise(2 * number + $0) }
        estimate = Tensor(shape, prediction.picture)
      } else {
        x = Sampler.diffused(process, x, move.index, noise(2 * number))
      }
      moved(Step(number: place + 1, of: moves.count, x: x, picture: estimate))
    }
    return x
  }

  /// Walks with a model that is one step of sampling itself.
  func stepped(
    last: Int?, start: Tensor<Float>?, moved: (Step) -> Void
  ) async throws -> Tensor<Float> {
    var x = start ?? Tensor(shape, noise(0))
    let count = min(last ?? process.schedule.steps, process.schedule.steps)
    for (place, left) in (0..<count).reversed().enumerated() {
      try Task.checkCancellation()
      x = try await denoiser.answer(
        x, time: Double(left), label: nil, noise: noise(2 * UInt32(place + 1)))
      moved(Step(number: place + 1, of: count, x: x, picture: nil))
    }
    return x
  }

  private func noise(_ draw: UInt32) -> [Float] {
    Noise.normal(seed: seed, picture: picture, draw: draw, count: shape.reduce(1, *))
  }
}
