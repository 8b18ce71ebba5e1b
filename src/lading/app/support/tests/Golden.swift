import Foundation
import XCTest

/// The golden vectors of the package: inputs, and what the untouched original gives for them.
struct Golden: Decodable {
  /// One array: its file, row-major and little-endian.
  struct Stored: Decodable {
    let file: String
    let dtype: String
    let shape: [Int]
  }

  /// One probe.
  struct Vector: Decodable {
    let name: String
    let raw: [String: Stored]
    let text: [String: String]
    let inputs: [String: Stored]
    let outputs: [String: Stored]
    let after: [String: Stored]
    let rms: [String: [String: Double]]
  }

  /// How near an artifact of one precision has to come.
  struct Tolerance: Decodable {
    let output: String
    let kind: String
    let gate: Double
  }

  /// A walk of the original from noise to a picture.
  struct Walk: Decodable {
    let seed: UInt64
    let respacing: String
    let timesteps: [Double]
    let start: Stored
    let x: [Stored]
    let answers: [Stored]
  }

  let vectors: [Vector]
  let walk: Walk?
  let tolerances: [String: [Tolerance]]

  /// The folder of the vectors.
  static func folder() throws -> URL {
    try XCTUnwrap(Bundle.module.url(forResource: "golden", withExtension: nil))
  }

  /// The index.
  static func load() throws -> Golden {
    let data = try Data(contentsOf: folder().appendingPathComponent("index.json"))
    return try JSONDecoder().decode(Golden.self, from: data)
  }

  /// The numbers of an array, each as `Double`.
  static func numbers(_ stored: Stored) throws -> [Double] {
    let bytes = [UInt8](try Data(contentsOf: folder().appendingPathComponent(stored.file)))
    let sizes = [
      "float32": 4, "float64": 8, "int32": 4, "int64": 8, "uint8": 1, "int8": 1, "bool": 1,
      "float16": 2,
    ]
    let size = try XCTUnwrap(sizes[stored.dtype], stored.dtype)
    let count = stored.shape.reduce(1, *)
    XCTAssertEqual(bytes.count, count * size, stored.file)
    return (0..<count).map { place in
      let part = bytes[(place * size)..<((place + 1) * size)]
      let bits = part.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      switch stored.dtype {
      case "float32": return Double(Float(bitPattern: UInt32(bits)))
      case "float64": return Double(bitPattern: bits)
      case "int32": return Double(Int32(truncatingIfNeeded: bits))
      case "int64": return Double(Int64(bitPattern: bits))
      case "int8": return Double(Int8(truncatingIfNeeded: bits))
      case "float16": return Double(half(UInt16(bits)))
      default: return Double(bits)
      }
    }
  }

  private static func half(_ bits: UInt16) -> Float {
    let exponent = Int(bits >> 10) & 0x1F
    let fraction = Float(bits & 0x3FF) / 1024
    let sign: Float = bits >> 15 == 0 ? 1 : -1
    if exponent == 31 {
      return fraction == 0 ? sign * .infinity : .nan
    }
    return exponent == 0
      ? sign * fraction * 0x1p-14
      : sign * (1 + fraction) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
  }

  /// The largest difference of two arrays; infinite where one is no number and the other is.
  static func worst(_ one: [Double], _ other: [Double]) -> Double {
    guard one.count == other.count else { return .infinity }
    return zip(one, other).reduce(0) { most, pair in
      let difference = (pair.0 - pair.1).magnitude
      return pair.0 == pair.1 ? most : difference.isNaN ? .infinity : max(most, difference)
    }
  }

  /// How many labels differ from those that are stored; all where there are more of one.
  static func differing(_ labels: [Int32], _ stored: Stored) throws -> Int {
    let expected = try numbers(stored)
    guard labels.count == expected.count else { return max(labels.count, expected.count) }
    return zip(labels, expected).filter { Double($0) != $1 }.count
  }
}
