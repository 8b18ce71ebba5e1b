import CoreGraphics
import Phantoms

/// From a photo to the photo with its classes over it.
struct Outliner: Sendable {
  private let network = Phantoms()

  /// The photo with the colour of each class over it, and how much of it each covers.
  func outlined(_ photo: CGImage) async throws -> (image: CGImage, areas: [LabelMap.Area]) {
    let picture = try Picture(photo)
    let map = try await network.segment(picture)
    return (try map.overlay(on: picture).cgImage(), map.areas())
  }
}
