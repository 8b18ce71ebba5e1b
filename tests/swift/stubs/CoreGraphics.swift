// Declarations alone of the symbols of Core Graphics that the packages use; see CoreML.swift.

import Foundation

public enum CGImageAlphaInfo: UInt32, Sendable {
  case none
  case premultipliedLast
  case premultipliedFirst
  case last
  case first
  case noneSkipLast
  case noneSkipFirst
}

public final class CGColorSpace {
  public var numberOfComponents: Int { fatalError() }
}

public func CGColorSpaceCreateDeviceGray() -> CGColorSpace { fatalError() }
public func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { fatalError() }

public final class CGImage {
  public var width: Int { fatalError() }
  public var height: Int { fatalError() }
  public var colorSpace: CGColorSpace? { fatalError() }
}

public final class CGContext {
  public init?(
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int,
    bytesPerRow: Int, space: CGColorSpace, bitmapInfo: UInt32
  ) { fatalError() }
  public func draw(_ image: CGImage, in rect: CGRect) { fatalError() }
  public func makeImage() -> CGImage? { fatalError() }
}
