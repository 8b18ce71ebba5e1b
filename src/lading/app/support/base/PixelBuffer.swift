#if canImport(CoreML)
  import CoreVideo

  /// Levels 0 to 255, [1, 1 or 3, height, width], as a picture of Core Video.
  func pixelBuffer(_ levels: Tensor<Float>) throws -> CVPixelBuffer {
    let (channels, height, width) = (levels.shape[1], levels.shape[2], levels.shape[3])
    let format = channels == 1 ? kCVPixelFormatType_OneComponent8 : kCVPixelFormatType_32BGRA
    var made: CVPixelBuffer?
    let status = CVPixelBufferCreate(nil, width, height, format, nil, &made)
    guard status == kCVReturnSuccess, let buffer = made else {
      throw ModelError.unsupported(
        what: "a picture of \(width) x \(height)", found: "Core Video's status \(status)",
        expected: "a pixel buffer")
    }
    CVPixelBufferLockBaseAddress(buffer, [])
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    guard let start = CVPixelBufferGetBaseAddress(buffer) else {
      throw ModelError.missing(
        what: "a pixel buffer", found: "no memory", expected: "its first pixel")
    }
    let row = CVPixelBufferGetBytesPerRow(buffer)
    let bytes = start.assumingMemoryBound(to: UInt8.self)
    let plane = height * width
    for y in 0..<height {
      for x in 0..<width {
        let place = y * width + x
        if channels == 1 {
          bytes[y * row + x] = byte(levels.values[place])
        } else {
          let pixel = y * row + 4 * x
          bytes[pixel] = byte(levels.values[2 * plane + place])
          bytes[pixel + 1] = byte(levels.values[plane + place])
          bytes[pixel + 2] = byte(levels.values[place])
          bytes[pixel + 3] = 255
        }
      }
    }
    return buffer
  }
#endif

/// The nearest level 0 to 255, the even one of two as near; what is no number is 0.
func byte(_ level: Float) -> UInt8 {
  level.isNaN ? 0 : UInt8(min(max(level, 0), 255).rounded(.toNearestOrEven))
}
