/// One source of noise for every system: the same seed, the same bits.
///
/// A value is a function of the seed, the picture, the draw and its place, and of nothing else. Words
/// are Philox4x32-10's (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
/// pairs of them become normal values by the transform of Box and Muller (1958). Logarithm, sine and
/// cosine are written out: a library's own differ from system to system in the last bit.
public enum Noise {
  /// Standard normal values, bit for bit those of `lading sample`.
  ///
  /// - Parameters:
  ///   - seed: any.
  ///   - picture: which of the pictures of one seed.
  ///   - draw: which drawing of its walk; 0 is where it starts.
  ///   - count: of values.
  public static func normal(seed: UInt64, picture: UInt32, draw: UInt32, count: Int) -> [Float] {
    let key = (UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32))
    var values: [Float] = []
    values.reserveCapacity(count + 3)
    for block in 0..<UInt32((count + 3) / 4) {
      let words = philox((block, draw, picture, 0), key)
      for (first, second) in [(words.0, words.1), (words.2, words.3)] {
        let radius = (-2 * logarithm((Double(first) + 1) * 0x1p-32)).squareRoot()
        let (cosine, sine) = circle(second)
        values.append(Float(radius * cosine))
        values.append(Float(radius * sine))
      }
    }
    return Array(values.prefix(count))
  }

  /// Four words from a counter of four and a key of two: Philox4x32-10.
  static func philox(
    _ counter: (UInt32, UInt32, UInt32, UInt32), _ key: (UInt32, UInt32)
  ) -> (UInt32, UInt32, UInt32, UInt32) {
    var (c0, c1, c2, c3) = counter
    var (k0, k1) = key
    for _ in 0..<10 {
      let first = c0.multipliedFullWidth(by: 0xD251_1F53)
      let second = c2.multipliedFullWidth(by: 0xCD9E_8D57)
      (c0, c1, c2, c3) = (second.high ^ c1 ^ k0, second.low, first.high ^ c3 ^ k1, first.low)
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return (c0, c1, c2, c3)
  }

  /// The natural logarithm of a positive, normal number, by exactly defined operations alone.
  static func logarithm(_ x: Double) -> Double {
    var mantissa = x.significand / 2
    var exponent = Double(x.exponent + 1)
    if mantissa < 0.7071067811865476 {
      mantissa *= 2
      exponent -= 1
    }
    let s = (mantissa - 1) / (mantissa + 1)
    let square = s * s
    var total = 0.0
    for term in stride(from: 10, to: 0, by: -1) {
      total = (total + 1 / Double(2 * term + 1)) * square
    }
    return exponent * 0.6931471805599453 + 2 * (s + s * total)
  }

  /// Cosine and sine of a word / 2³² of a turn, by exactly defined operations alone.
  static func circle(_ word: UInt32) -> (cosine: Double, sine: Double) {
    let quarter = (UInt64(word) + (1 << 29)) >> 30
    let angle = Double(Int64(word) - Int64(quarter << 30)) * 0x1p-32 * 6.283185307179586
    let square = angle * angle
    var (cosine, sine) = (0.0, 0.0)
    for term in stride(from: 8, to: 0, by: -1) {
      cosine = (1 + cosine) * square * (-1 / Double(2 * term * (2 * term - 1)))
      sine = (1 + sine) * square * (-1 / Double((2 * term + 1) * (2 * term)))
    }
    (cosine, sine) = (1 + cosine, angle * (1 + sine))
    switch quarter % 4 {
    case 0: return (cosine, sine)
    case 1: return (-sine, cosine)
    case 2: return (-cosine, -sine)
    default: return (sine, -cosine)
    }
  }
}
