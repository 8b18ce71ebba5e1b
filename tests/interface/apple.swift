// What of Apple's libraries the page's Swift uses, for systems without them. A picture is bytes
// that are drawn as they are, and a model gives for each value x of its first input the scores of
// three classes: x, -x and 0.25.

import Foundation

final class CGImage {
  let bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }
}
struct CGColorSpace {}
func CGColorSpaceCreateDeviceGray() -> CGColorSpace { CGColorSpace() }
func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { CGColorSpace() }
enum CGImageAlphaInfo: UInt32 { case none, noneSkipLast }

final class CGContext {
  let data: UnsafeMutableRawPointer
  init?(
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int,
    bytesPerRow: Int, space: CGColorSpace, bitmapInfo: UInt32
  ) { self.data = data! }
  func draw(_ image: CGImage, in rect: CGRect) {
    image.bytes.withUnsafeBytes { data.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
  }
}

enum MLComputeUnits { case all, cpuOnly, cpuAndGPU }
final class MLModelConfiguration { var computeUnits = MLComputeUnits.cpuOnly }
enum MLMultiArrayDataType { case float32, int32, double }

protocol MLShapedArrayScalar { var number: Double { get } }
extension Float: MLShapedArrayScalar { var number: Double { Double(self) } }
extension Int32: MLShapedArrayScalar { var number: Double { Double(self) } }

final class MLMultiArray {
  let dataPointer: UnsafeMutableRawPointer
  let count: Int
  init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws {
    count = shape.reduce(1) { $0 * $1.intValue }
    dataPointer = .allocate(byteCount: count * 4, alignment: 8)
  }
  convenience init<Scalar: MLShapedArrayScalar>(_ shaped: MLShapedArray<Scalar>) {
    precondition(shaped.shape.reduce(1, *) == shaped.scalars.count)
    try! self.init(shape: shaped.shape.map { NSNumber(value: $0) }, dataType: .float32)
    fill(shaped.scalars.map { Float($0.number) })
  }
  var floats: [Float] {
    (0..<count).map { dataPointer.load(fromByteOffset: 4 * $0, as: Float.self) }
  }
  func fill(_ values: [Float]) {
    for (place, value) in values.enumerated() {
      dataPointer.storeBytes(of: value, toByteOffset: 4 * place, as: Float.self)
    }
  }
  subscript(place: Int) -> NSNumber { NSNumber(value: floats[place]) }
}

struct MLShapedArray<Scalar: MLShapedArrayScalar> {
  let scalars: [Scalar]
  let shape: [Int]
  init(scalars: [Scalar], shape: [Int]) {
    self.scalars = scalars
    self.shape = shape
  }
}
extension MLShapedArray where Scalar == Float {
  init(converting array: MLMultiArray) { self.init(scalars: array.floats, shape: [array.count]) }
}

struct MLFeatureValue { var multiArrayValue: MLMultiArray? }
struct MLDictionaryFeatureProvider {
  let dictionary: [String: Any]
  init(dictionary: [String: Any]) throws { self.dictionary = dictionary }
  func featureValue(for name: String) -> MLFeatureValue? {
    MLFeatureValue(multiArrayValue: dictionary[name] as? MLMultiArray)
  }
}

final class MLModel {
  init(contentsOf url: URL, configuration: MLModelConfiguration) throws {
    precondition(configuration.computeUnits == .all)
  }
  func prediction(from input: MLDictionaryFeatureProvider) throws -> MLDictionaryFeatureProvider {
    let fed = (input.dictionary["image"] as! MLMultiArray).floats
    let scores = try MLMultiArray(shape: [NSNumber(value: 3 * fed.count)], dataType: .float32)
    scores.fill(fed + fed.map { -$0 } + fed.map { _ in 0.25 })
    return try MLDictionaryFeatureProvider(dictionary: ["logits": scores])
  }
}
extension Bundle {
  func url(forResource: String, withExtension: String) -> URL? { URL(fileURLWithPath: "/") }
}
