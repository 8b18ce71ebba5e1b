import Foundation

/// How noise grows over the steps of a diffusion, and every coefficient that follows from it.
///
/// Sources: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", arXiv 2006.11239;
/// A. Nichol, P. Dhariwal, "Improved denoising diffusion probabilistic models", arXiv 2102.09672.
public struct Schedule: Sendable, Equatable {
  /// The variances of the noise that the steps of the training add.
  public enum Kind: String, Sendable {
    /// From 1e-4 to 0.02, both times 1000 / steps (Ho 2020, section 4).
    case linear
    /// Such that what is left of the signal falls as cos² (Nichol 2021, equation 17).
    case cosine
  }

  /// The variance of the noise that each step adds; index 0 is nearest to the picture.
  public let betas: [Double]
  /// Which step of the training each one is, ascending.
  public let timesteps: [Int]
  /// How many steps the training had.
  public let trained: Int
  /// Whether the network is given the time in thousandths of the whole.
  public let rescaled: Bool
  /// The share of the signal's variance that is left after each step.
  public let kept: [Double]
  /// The same before each step; 1 before the first.
  public let before: [Double]

  /// A schedule of `trained` steps, respaced: `""` for all, `"50"`, `"10,10,20"` or `"ddim50"`.
  ///
  /// - Throws: ``ModelError/value(what:found:expected:)`` for more steps than there are.
  public init(_ kind: Kind, trained: Int, respacing: String = "", rescaled: Bool = false) throws {
    let all = try Self.variances(kind, trained)
    let timesteps = try Self.spaced(trained, respacing)
    if timesteps.count == trained {
      betas = all
    } else {
      let kept = Self.products(all)
      let chosen = timesteps.map { kept[$0] }
      betas = zip(chosen, [1] + chosen).map { 1 - $0 / $1 }
    }
    self.timesteps = timesteps
    self.trained = trained
    self.rescaled = rescaled
    kept = Self.products(betas)
    before = [1] + kept.dropLast()
  }

  /// How many steps there are.
  public var steps: Int { betas.count }

  /// What the network is given at a step: the step of the training, or its place in 1000.
  public func timestep(_ index: Int) -> Double {
    rescaled ? Double(timesteps[index] * 1000) / Double(trained) : Double(timesteps[index])
  }

  /// The variance of x before a step, given x after it and the picture (Ho 2020, equation 7).
  func posteriorVariance(_ index: Int) -> Double {
    betas[index] * (1 - before[index]) / (1 - kept[index])
  }

  /// Its logarithm, at the first step that of the second: the first is 0 (Nichol 2021, section 3.1).
  func posteriorLogVariance(_ index: Int) -> Double {
    guard index == 0 else { return log(posteriorVariance(index)) }
    return log(steps > 1 ? posteriorVariance(1) : betas[0])
  }

  /// The larger of the two fixed variances, as a logarithm (Ho 2020, section 3.2).
  func largeLogVariance(_ index: Int) -> Double {
    index == 0 ? posteriorLogVariance(0) : log(betas[index])
  }

  /// What the picture counts for in the posterior's mean (Ho 2020, equation 7).
  func posteriorOfPicture(_ index: Int) -> Double {
    betas[index] * before[index].squareRoot() / (1 - kept[index])
  }

  /// What x after the step counts for in it.
  func posteriorOfNow(_ index: Int) -> Double {
    (1 - before[index]) * (1 - betas[index]).squareRoot() / (1 - kept[index])
  }

  /// The spread of the noise that the implicit process adds.
  ///
  /// Source: J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models", arXiv 2010.02502,
  /// equation 16.
  func deviation(_ index: Int, eta: Double) -> Double {
    eta * ((1 - before[index]) / (1 - kept[index])).squareRoot()
      * (1 - kept[index] / before[index]).squareRoot()
  }

  // MARK: - Tables

  private static func products(_ betas: [Double]) -> [Double] {
    var product = 1.0
    return betas.map { beta in
      product *= 1 - beta
      return product
    }
  }

  private static func variances(_ kind: Kind, _ steps: Int) throws -> [Double] {
    guard steps > 0 else {
      throw ModelError.value(
        what: "a noise schedule", found: "\(steps) steps", expected: "one at least")
    }
    let made: [Double]
    switch kind {
    case .linear:
      let scale = 1000 / Double(steps)
      let (low, high) = (scale * 1e-4, scale * 0.02)
      let stride = steps > 1 ? (high - low) / Double(steps - 1) : 0
      made = (0..<steps).map { place in
        place > 0 && place == steps - 1 ? high : Double(place) * stride + low
      }
    case .cosine:
      let kept = (0...steps).map { place -> Double in
        let angle = (Double(place) / Double(steps) + 0.008) / 1.008 * Double.pi / 2
        return cos(angle) * cos(angle)
      }
      made = (0..<steps).map { min(1 - kept[$0 + 1] / kept[$0], 0.999) }
    }
    guard made.allSatisfy({ $0 > 0 && $0 < 1 }) else {
      throw ModelError.value(
        what: "a noise schedule", found: "\(steps) steps", expected: "variances between 0 and 1")
    }
    return made
  }

  /// The steps of the training that a respacing keeps.
  static func spaced(_ trained: Int, _ text: String) throws -> [Int] {
    let compact = text.filter { $0 != " " }
    if compact.isEmpty {
      return Array(0..<trained)
    }
    if compact.hasPrefix("ddim") {
      let count = Int(compact.dropFirst(4)) ?? 0
      guard count > 0, count <= trained,
        let every = (1...trained).first(where: { (trained + $0 - 1) / $0 == count })
      else {
        throw refused(text, "a number of steps that some whole stride leaves of \(trained)")
      }
      return Array(stride(from: 0, to: trained, by: every))
    }
    let counts = try compact.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard part.allSatisfy({ ("0"..."9").contains($0) }), let count = Int(part) else {
        throw refused(text, "a number of steps such as 250, sections such as 10,10,20, or ddim50")
      }
      return count
    }
    var (kept, start): ([Int], Int) = ([], 0)
    for (number, count) in counts.enumerated() {
      let length = trained / counts.count + (number < trained % counts.count ? 1 : 0)
      guard count > 0, count <= length else {
        throw refused(text, "1 to \(length) steps of each \(length)")
      }
      let stride = count > 1 ? Double(length - 1) / Double(count - 1) : 1
      kept += (0..<count).map { start + Int((stride * Double($0)).rounded(.toNearestOrEven)) }
      start += length
    }
    return kept
  }

  private static func refused(_ text: String, _ expected: String) -> ModelError {
    .value(what: "the respacing", found: text.debugDescription, expected: expected)
  }
}
