/// Planes of another size: bilinear, over as many pixels as one of the result covers.
///
/// The triangle filter of Pillow's `BILINEAR`, term by term: along rows, then along columns, each
/// sum in `Double` and kept as `Float`.
enum Resampling {
  /// The weights of one position of the result: the first place that counts, and each one's share.
  struct Weights: Equatable {
    let first: Int
    let shares: [Double]
  }

  /// Planes of `height` x `width` brought to another size.
  static func resampled(
    _ values: [Float], height: Int, width: Int, toHeight tall: Int, toWidth wide: Int
  ) -> [Float] {
    let planes = values.count / (height * width)
    var rows = values
    if wide != width {
      let table = weights(from: width, to: wide)
      rows = [Float](repeating: 0, count: planes * height * wide)
      for line in 0..<(planes * height) {
        for x in 0..<wide {
          var sum = 0.0
          for (offset, share) in table[x].shares.enumerated() {
            sum += Double(values[line * width + table[x].first + offset]) * share
          }
          rows[line * wide + x] = Float(sum)
        }
      }
    }
    guard tall != height else { return rows }
    let table = weights(from: height, to: tall)
    var made = [Float](repeating: 0, count: planes * tall * wide)
    for plane in 0..<planes {
      for y in 0..<tall {
        for x in 0..<wide {
          var sum = 0.0
          for (offset, share) in table[y].shares.enumerated() {
            let line = plane * height + table[y].first + offset
            sum += Double(rows[line * wide + x]) * share
          }
          made[(plane * tall + y) * wide + x] = Float(sum)
        }
      }
    }
    return made
  }

  /// The weights of every position of a line of `wanted`, over one of `given`.
  static func weights(from given: Int, to wanted: Int) -> [Weights] {
    let scale = Double(given) / Double(wanted)
    let support = max(scale, 1)
    return (0..<wanted).map { position in
      let center = (Double(position) + 0.5) * scale
      let first = max(Int(center - support + 0.5), 0)
      let end = min(Int(center + support + 0.5), given)
      var shares = (first..<end).map { place in
        triangle((Double(place) - center + 0.5) * (1 / support))
      }
      let total = shares.reduce(0, +)
      if total != 0 {
        shares = shares.map { $0 / total }
      }
      return Weights(first: first, shares: shares)
    }
  }

  private static func triangle(_ distance: Double) -> Double {
    max(1 - distance.magnitude, 0)
  }

  /// Whole numbers of another size: those of the nearest positions.
  static func nearest(
    _ values: [Int32], height: Int, width: Int, toHeight tall: Int, toWidth wide: Int
  ) -> [Int32] {
    (0..<tall).flatMap { y -> [Int32] in
      let row = (2 * y + 1) * height / (2 * tall)
      return (0..<wide).map { x in values[row * width + (2 * x + 1) * width / (2 * wide)] }
    }
  }
}
