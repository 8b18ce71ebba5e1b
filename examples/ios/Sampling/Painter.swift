import CoreGraphics
import EchoDiffusion

/// From a seed to a picture.
struct Painter: Sendable {
  private let network = EchoDiffusion()

  /// The picture of a seed, that of `lading sample`; `told` hears how far it is, 0 to 1.
  ///
  /// It ends early where its task is cancelled.
  func painted(seed: UInt64, told: @Sendable (Double) -> Void) async throws -> CGImage {
    let made = try await network.sample(seed: seed, sampler: .ddim(eta: 0), respacing: "25") {
      told(Double($0.number) / Double($0.of))
    }
    return try Picture(signed: made).cgImage()
  }
}
