/// Numbers of 16 bits, as their bits: not every Mac's Swift has them as a type of its own.
enum Half {
  /// The number that the bits stand for.
  static func float(_ bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    let exponent = Int(bits >> 10) & 0x1F
    let fraction = Float(bits & 0x3FF) * 0x1p-10
    switch exponent {
    case 0:
      return sign * fraction * 0x1p-14
    case 31:
      return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * (1 + fraction) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }

  /// The bits of the nearest number, the even one of two as near.
  static func bits(_ value: Float) -> UInt16 {
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    guard !value.isNaN else { return 0x7E00 }
    let size = value.magnitude
    guard size < 65520 else { return sign | 0x7C00 }
    guard size >= 0x1p-14 else {
      return sign | UInt16((size * 0x1p24).rounded(.toNearestOrEven))
    }
    let steps = UInt32((size.significand * 0x1p10).rounded(.toNearestOrEven))
    let exponent = UInt32(Int(size.exponent) + 15)
    return sign | UInt16((exponent << 10) + steps - 0x400)
  }
}
