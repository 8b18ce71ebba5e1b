#if canImport(CoreGraphics) && canImport(CoreVideo)
  import CoreGraphics
  import CoreVideo
  import Foundation

  extension Picture {
    /// A picture of Core Graphics: in grey where its colours are, else in RGB.
    ///
    /// - Throws: ``ModelError/unsupported(what:found:expected:)`` where it cannot be drawn.
    public init(_ image: CGImage) throws {
      let grey = image.colorSpace?.numberOfComponents == 1
      let (width, height) = (image.width, image.height)
      let pixel = grey ? 1 : 4
      let space = grey ? CGColorSpaceCreateDeviceGray() : CGColorSpaceCreateDeviceRGB()
      let alpha: CGImageAlphaInfo = grey ? .none : .noneSkipLast
      var bytes = [UInt8](repeating: 0, count: width * height * pixel)
      let drawn = bytes.withUnsafeMutableBytes { memory -> Bool in
        let context = CGContext(
          data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8,
          bytesPerRow: width * pixel, space: space, bitmapInfo: alpha.rawValue)
        context?.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
        return context != nil
      }
      guard drawn else {
        throw ModelError.unsupported(
          what: "a picture of \(width) x \(height)", found: "no way to draw it",
          expected: "a picture in grey or RGB")
      }
      if grey {
        try self.init(width: width, height: height, grey: bytes)
      } else {
        try self.init(width: width, height: height, interleaved: bytes, bytesPerPixel: 4)
      }
    }

    /// A picture of Core Video, 8 bits of grey or 32 bits of blue, green, red and alpha.
    public init(_ buffer: CVPixelBuffer) throws {
      let format = CVPixelBufferGetPixelFormatType(buffer)
      guard format == kCVPixelFormatType_OneComponent8 || format == kCVPixelFormatType_32BGRA else {
        throw ModelError.unsupported(
          what: "a pixel buffer", found: "format \(format)",
          expected: "OneComponent8 or 32BGRA")
      }
      CVPixelBufferLockBaseAddress(buffer, .readOnly)
      defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
      guard let start = CVPixelBufferGetBaseAddress(buffer) else {
        throw ModelError.missing(
          what: "a pixel buffer", found: "no memory", expected: "its first pixel")
      }
      let (width, height) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
      let (row, count) = (CVPixelBufferGetBytesPerRow(buffer), width * height)
      let bytes = start.assumingMemoryBound(to: UInt8.self)
      let channels = format == kCVPixelFormatType_OneComponent8 ? 1 : 3
      var values = [Float](repeating: 0, count: count * channels)
      for y in 0..<height {
        for x in 0..<width {
          for channel in 0..<channels {
            let byte = channels == 1 ? y * row + x : y * row + 4 * x + 2 - channel
            values[channel * count + y * width + x] = Float(bytes[byte])
          }
        }
      }
      try self.init(width: width, height: height, channels: channels, values: values)
    }

    /// The picture for Core Graphics.
    ///
    /// - Throws: ``ModelError/unsupported(what:found:expected:)`` where it cannot be made.
    public func cgImage() throws -> CGImage {
      let count = width * height
      var bytes = [UInt8](repeating: 255, count: count * 4)
      for place in 0..<count {
        for channel in 0..<3 {
          bytes[4 * place + channel] = byte(values[min(channel, channels - 1) * count + place])
        }
      }
      let image = bytes.withUnsafeMutableBytes { memory -> CGImage? in
        CGContext(
          data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8,
          bytesPerRow: width * 4, space: CGColorSpaceCreateDeviceRGB(),
          bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)?.makeImage()
      }
      guard let image else {
        throw ModelError.unsupported(
          what: "a picture of \(width) x \(height)", found: "no way to draw it",
          expected: "one that fits into memory")
      }
      return image
    }
  }
#endif
