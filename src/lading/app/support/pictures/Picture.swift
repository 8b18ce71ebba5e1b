/// A picture: grey levels or RGB values, 0 to 255, one plane after the other.
public struct Picture: Sendable, Equatable {
  /// Pixels from left to right.
  public let width: Int
  /// Pixels from top to bottom.
  public let height: Int
  /// 1 for grey, 3 for red, green and blue.
  public let channels: Int
  /// The levels: plane by plane, row by row.
  public var values: [Float]

  /// A picture of planes.
  ///
  /// - Throws: ``ModelError/shape(what:found:expected:)`` where the counts differ.
  public init(width: Int, height: Int, channels: Int, values: [Float]) throws {
    guard width > 0, height > 0, [1, 3].contains(channels),
      values.count == width * height * channels
    else {
      throw ModelError.shape(
        what: "a picture", found: "\(width) x \(height) x \(channels), \(values.count) levels",
        expected: "1 or 3 planes of width x height levels")
    }
    self.width = width
    self.height = height
    self.channels = channels
    self.values = values
  }

  /// A grey picture of bytes, row by row.
  public init(width: Int, height: Int, grey bytes: [UInt8]) throws {
    try self.init(width: width, height: height, channels: 1, values: bytes.map { Float($0) })
  }

  /// A picture of pixels, row by row: red, green, blue and, where there are four bytes to a pixel,
  /// one that counts for nothing.
  public init(width: Int, height: Int, interleaved bytes: [UInt8], bytesPerPixel: Int = 3) throws {
    let count = max(width, 0) * max(height, 0)
    guard bytesPerPixel >= 3, bytes.count == count * bytesPerPixel else {
      throw ModelError.shape(
        what: "a picture of \(width) x \(height)", found: "\(bytes.count) bytes",
        expected: "\(count * bytesPerPixel), at least 3 to a pixel")
    }
    var planes = [Float](repeating: 0, count: count * 3)
    for pixel in 0..<count {
      for channel in 0..<3 {
        planes[channel * count + pixel] = Float(bytes[pixel * bytesPerPixel + channel])
      }
    }
    try self.init(width: width, height: height, channels: 3, values: planes)
  }

  /// A picture of values -1 to 1, [1, channels, height, width]: what is no number is black.
  public init(signed tensor: Tensor<Float>) throws {
    guard tensor.shape.count == 4, tensor.shape[0] == 1 else {
      throw ModelError.shape(
        what: "a picture of values -1 to 1", found: "\(tensor.shape)",
        expected: "[1, channels, height, width]")
    }
    try self.init(
      width: tensor.shape[3], height: tensor.shape[2], channels: tensor.shape[1],
      values: tensor.values.map { Float(byte((($0.isNaN ? -1 : $0) + 1) * 127.5)) })
  }

  /// The levels as [1, channels, height, width].
  public var tensor: Tensor<Float> {
    Tensor([1, channels, height, width], values)
  }

  /// The same picture in grey (ITU-R 601 luma, as Pillow rounds it) or in colour.
  func converted(to wanted: Int) throws -> Picture {
    if wanted == channels {
      return self
    }
    let count = width * height
    if wanted == 3, channels == 1 {
      return try Picture(
        width: width, height: height, channels: 3, values: values + values + values)
    }
    guard wanted == 1, channels == 3 else {
      throw ModelError.unsupported(
        what: "a picture", found: "\(channels) channels", expected: "\(wanted)")
    }
    let grey = (0..<count).map { place -> Float in
      let (red, green, blue) = (values[place], values[count + place], values[2 * count + place])
      let whole = [red, green, blue].map { Int(exactly: $0) ?? -1 }
      if whole.allSatisfy({ (0...255).contains($0) }) {
        return Float((whole[0] * 19595 + whole[1] * 38470 + whole[2] * 7471 + 0x8000) >> 16)
      }
      return (red * 19595 + green * 38470 + blue * 7471) / 65536
    }
    return try Picture(width: width, height: height, channels: 1, values: grey)
  }
}
