/// The class of every pixel of a picture.
public struct LabelMap: Sendable, Equatable {
  /// How much of the picture a class covers.
  public struct Area: Sendable, Equatable {
    /// The label; -1 of what belongs to no class.
    public let label: Int32
    /// The name of the class.
    public let name: String
    /// Pixels of the picture.
    public let pixels: Int
    /// Square millimetres, where the spacing of the pixels is known.
    public let squareMillimetres: Double?
  }

  /// Pixels from left to right.
  public let width: Int
  /// Pixels from top to bottom.
  public let height: Int
  /// The labels, row by row; -1 is no class.
  public let labels: [Int32]
  /// The names of the classes.
  public let names: [String]

  /// Colours of labels: black, then hues that stay apart for colour-blind readers.
  ///
  /// Source: M. Okabe, K. Ito, "Color universal design", 2008.
  public static let palette: [(red: UInt8, green: UInt8, blue: UInt8)] = [
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178),
    (213, 94, 0), (204, 121, 167),
  ]

  /// The colour of a label; those past the palette begin again at its second, no class is white.
  public static func color(_ label: Int32) -> (red: UInt8, green: UInt8, blue: UInt8) {
    let place = Int(label)
    guard place >= 0 else { return (255, 255, 255) }
    return palette[place < palette.count ? place : (place - 1) % (palette.count - 1) + 1]
  }

  /// The area of each class, in the order of the labels, and of no class where there is such.
  ///
  /// - Parameter spacing: millimetres from one pixel to the next, down and across.
  public func areas(spacing: (down: Double, across: Double)? = nil) -> [Area] {
    var counts: [Int32: Int] = [:]
    for label in names.indices {
      counts[Int32(label)] = 0
    }
    for label in labels {
      counts[label, default: 0] += 1
    }
    return counts.sorted { $0.key < $1.key }.map { label, count in
      Area(
        label: label, name: name(label), pixels: count,
        squareMillimetres: spacing.map { Double(count) * $0.down * $0.across })
    }
  }

  /// A label for people.
  public func name(_ label: Int32) -> String {
    if label < 0 {
      return "no class"
    }
    return names.indices.contains(Int(label)) ? names[Int(label)] : "class \(label)"
  }

  /// The picture with the colour of each class over it; label 0 is left as it is.
  ///
  /// - Parameter opacity: of the colours, 0 to 1.
  public func overlay(on picture: Picture, opacity: Float = 0.5) throws -> Picture {
    guard (picture.width, picture.height) == (width, height) else {
      throw ModelError.shape(
        what: "the picture under the overlay", found: "\(picture.width) x \(picture.height)",
        expected: "\(width) x \(height)")
    }
    var made = try picture.converted(to: 3)
    for (place, label) in labels.enumerated() where label != 0 {
      let color = Self.color(label)
      for (channel, level) in [color.red, color.green, color.blue].enumerated() {
        let at = channel * labels.count + place
        made.values[at] = (1 - opacity) * made.values[at] + opacity * Float(level)
      }
    }
    return made
  }
}
