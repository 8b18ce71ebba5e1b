import Foundation

/// A schedule, and how the network's answer is to be read.
public struct Process: Sendable, Equatable {
  /// What the network's first channels are.
  public enum Answer: Sendable, Equatable {
    /// The noise in x.
    case noise
    /// The picture itself.
    case picture
  }

  /// Where the variance of a step back comes from.
  public enum Variance: Sendable, Equatable {
    /// A second half of channels, -1 to 1, says where it lies between its bounds.
    case learnedRange
    /// The posterior's.
    case fixedSmall
    /// The step's own.
    case fixedLarge
  }

  /// The tables.
  public let schedule: Schedule
  /// What the network's first channels are.
  public let answer: Answer
  /// Where the variance of a step back comes from.
  public let variance: Variance
  /// Whether estimates of the picture are kept within -1 and 1.
  public let clip: Bool

  /// What one answer of the network says.
  struct Prediction: Equatable {
    let picture: [Float]
    let noise: [Float]
    let logVariance: [Float]
  }

  /// The answer of the network at a step, for x (Ho 2020, equation 15; Nichol 2021, equation 15).
  func read(_ values: Tensor<Float>, x: Tensor<Float>, index: Int) throws -> Prediction {
    let count = x.values.count
    let learned = variance == .learnedRange
    guard values.values.count == (learned ? 2 * count : count) else {
      throw ModelError.shape(
        what: "the network's answer", found: "\(values.shape) for x of \(x.shape)",
        expected: learned ? "twice as many channels" : "the same")
    }
    let kept = schedule.kept[index]
    let (signal, hiss) = (Float(kept.squareRoot()), Float((1 - kept).squareRoot()))
    var (picture, noise) = (x.values, x.values)
    for place in 0..<count {
      let (now, first) = (x.values[place], values.values[place])
      picture[place] = answer == .noise ? (now - hiss * first) / signal : first
      noise[place] = answer == .noise ? first : (now - signal * first) / hiss
      if clip {
        let free = picture[place]
        let clipped: Float = free < -1 ? -1 : free > 1 ? 1 : free
        if clipped != free {
          noise[place] = (now - signal * clipped) / hiss
          picture[place] = clipped
        }
      }
    }
    return Prediction(
      picture: picture, noise: noise,
      logVariance: logVariance(learned ? values.values[count...] : [], count, index))
  }

  private func logVariance(_ second: ArraySlice<Float>, _ count: Int, _ index: Int) -> [Float] {
    switch variance {
    case .fixedSmall:
      return [Float](repeating: Float(schedule.posteriorLogVariance(index)), count: count)
    case .fixedLarge:
      return [Float](repeating: Float(schedule.largeLogVariance(index)), count: count)
    case .learnedRange:
      let (low, high) = (
        Float(schedule.posteriorLogVariance(index)), Float(log(schedule.betas[index]))
      )
      return second.map { value in
        let share = (value + 1) * 0.5
        return share * high + (1 - share) * low
      }
    }
  }
}
