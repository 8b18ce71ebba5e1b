import Foundation

/// A way from noise to a picture.
public enum Sampler: Sendable, Equatable {
  /// Ancestral sampling (Ho 2020, algorithm 2).
  case ddpm
  /// The implicit process (Song 2021); an eta of 0 adds no noise, one of 1 as much as ``ddpm``.
  case ddim(eta: Double)
  /// A picture of which a part is known (``Repaint``).
  case repaint(Repaint)

  /// A picture to complete, with a network that never learned it.
  ///
  /// Source: A. Lugmayr et al., "RePaint: inpainting using denoising diffusion probabilistic
  /// models", arXiv 2201.09865, algorithm 1, section 4.2 and appendix B.
  public struct Repaint: Sendable, Equatable {
    /// The picture, values -1 to 1, of the network's shape.
    public let known: Tensor<Float>
    /// 1 where it holds and 0 where the network is to paint: its shape, or with one channel.
    public let mask: Tensor<Float>
    /// How many steps the walk goes forth at a time.
    public let jump: Int
    /// How often each stretch is walked back.
    public let repeats: Int

    /// A picture and its mask.
    public init(known: Tensor<Float>, mask: Tensor<Float>, jump: Int = 10, repeats: Int = 10) {
      self.known = known
      self.mask = mask
      self.jump = jump
      self.repeats = repeats
    }

    func require(_ shape: [Int]) throws {
      for (name, tensor) in [("the known picture", known), ("the mask", mask)] {
        guard tensor.shape.count == shape.count, tensor.shape.dropFirst(2) == shape.dropFirst(2),
          zip(tensor.shape, shape).allSatisfy({ $0 == 1 || $0 == $1 })
        else {
          throw ModelError.shape(what: name, found: "\(tensor.shape)", expected: "\(shape)")
        }
      }
      guard mask.values.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
        throw ModelError.value(
          what: "the mask", found: "values out of 0 to 1", expected: "1 where it is known, else 0")
      }
      guard jump > 0, repeats > 0 else {
        throw ModelError.value(
          what: "jumps of \(jump), \(repeats) times", found: "a number below 1",
          expected: "both at least 1")
      }
    }

    /// The value of one of its arrays at a place of an array of `shape`.
    static func at(_ place: Int, of tensor: Tensor<Float>, in shape: [Int]) -> Float {
      let inner = shape.dropFirst(2).reduce(1, *)
      let channel = tensor.shape[1] == 1 ? 0 : place / inner % shape[1]
      let sample = tensor.shape[0] == 1 ? 0 : place / inner / shape[1]
      return tensor.values[(sample * tensor.shape[1] + channel) * inner + place % inner]
    }
  }

  /// One move: back over a step by asking the network, or forth again.
  struct Move: Equatable {
    let index: Int
    let back: Bool
  }

  /// How many steps are taken where nobody says how many.
  var usualSteps: Int {
    if case .ddim = self {
      return 50
    }
    return 250
  }

  /// The moves over a schedule.
  func plan(_ steps: Int) -> [Move] {
    guard case .repaint(let repaint) = self else {
      return (0..<steps).reversed().map { Move(index: $0, back: true) }
    }
    var left: [Int: Int] = [:]
    for place in stride(from: 0, to: steps - repaint.jump, by: repaint.jump) {
      left[place] = repaint.repeats - 1
    }
    var moves: [Move] = []
    var at = steps - 1
    while at >= 0 {
      moves.append(Move(index: at, back: true))
      at -= 1
      if let more = left[at], more > 0 {
        left[at] = more - 1
        moves += (1...repaint.jump).map { Move(index: at + $0, back: false) }
        at += repaint.jump
      }
    }
    return moves
  }

  /// x before a step.
  ///
  /// - Parameter draw: normal values; 0 for the walk itself, 1 for the known part of the picture.
  func back(
    _ process: Process, _ prediction: Process.Prediction, x: Tensor<Float>, index: Int,
    draw: (UInt32) -> [Float]
  ) -> Tensor<Float> {
    switch self {
    case .ddpm:
      return Self.ancestral(process, prediction, x, index, draw)
    case .ddim(let eta):
      return Self.implicit(process, prediction, x, index, eta, draw)
    case .repaint(let repaint):
      var made = Self.ancestral(process, prediction, x, index, draw)
      let before = process.schedule.before[index]
      let (signal, hiss) = (Float(before.squareRoot()), Float((1 - before).squareRoot()))
      let noise = index > 0 ? draw(1) : []
      for place in made.values.indices {
        var known = signal * Repaint.at(place, of: repaint.known, in: x.shape)
        if index > 0 {
          known += hiss * noise[place]
        }
        let mask = Repaint.at(place, of: repaint.mask, in: x.shape)
        made.values[place] = mask * known + (1 - mask) * made.values[place]
      }
      return made
    }
  }

  /// Drawn from the posterior around the predicted picture (Ho 2020, equations 6 and 7).
  private static func ancestral(
    _ process: Process, _ prediction: Process.Prediction, _ x: Tensor<Float>, _ index: Int,
    _ draw: (UInt32) -> [Float]
  ) -> Tensor<Float> {
    let ofPicture = Float(process.schedule.posteriorOfPicture(index))
    let ofNow = Float(process.schedule.posteriorOfNow(index))
    let noise = index > 0 ? draw(0) : []
    var made = x
    for place in made.values.indices {
      let mean = ofPicture * prediction.picture[place] + ofNow * x.values[place]
      made.values[place] =
        index > 0 ? mean + exp(0.5 * prediction.logVariance[place]) * noise[place] : mean
    }
    return made
  }

  /// By the implicit process (Song 2021, equations 12 and 16).
  private static func implicit(
    _ process: Process, _ prediction: Process.Prediction, _ x: Tensor<Float>, _ index: Int,
    _ eta: Double, _ draw: (UInt32) -> [Float]
  ) -> Tensor<Float> {
    let sigma = process.schedule.deviation(index, eta: eta)
    let before = process.schedule.before[index]
    let towards = Float(max(1 - before - sigma * sigma, 0).squareRoot())
    let signal = Float(before.squareRoot())
    let noisy = eta != 0 && index > 0 && sigma != 0
    let noise = noisy ? draw(0) : []
    var made = x
    for place in made.values.indices {
      let mean = signal * prediction.picture[place] + towards * prediction.noise[place]
      made.values[place] = noisy ? mean + Float(sigma) * noise[place] : mean
    }
    return made
  }

  /// x after a step from x before it: one step of the noising process (Ho 2020, equation 2).
  static func diffused(
    _ process: Process, _ x: Tensor<Float>, _ index: Int, _ noise: [Float]
  ) -> Tensor<Float> {
    let beta = process.schedule.betas[index]
    let (kept, added) = (Float((1 - beta).squareRoot()), Float(beta.squareRoot()))
    var made = x
    for place in made.values.indices {
      made.values[place] = kept * x.values[place] + added * noise[place]
    }
    return made
  }
}
