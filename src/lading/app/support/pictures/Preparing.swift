extension Port {
  /// A picture as this input takes it, at the size of `height` x `width`, by default its own.
  ///
  /// In grey or in colour, resampled, then normalised as the network was trained.
  ///
  /// - Throws: ``ModelError`` where this is no input for pictures, or of another size.
  public func prepared(_ picture: Picture, size: (height: Int, width: Int)? = nil) throws
    -> Tensor<Float>
  {
    guard shape.count == 4 else {
      throw ModelError.shape(
        what: "a picture for input \(name)", found: "an input of \(shape.count) axes",
        expected: "one of pictures: [1, channels, height, width]")
    }
    let (height, width) = size ?? (shape[2], shape[3])
    let wanted = [1, shape[1], height, width]
    try require(wanted)
    let plain = try picture.converted(to: shape[1])
    let values = Resampling.resampled(
      plain.values, height: plain.height, width: plain.width, toHeight: height, toWidth: width)
    return try prepared(levels: Tensor(wanted, values))
  }

  /// Levels 0 to 255, [1, channels, ...], in this input's own units.
  public func prepared(levels: Tensor<Float>) throws -> Tensor<Float> {
    if kind == .grey || kind == .rgb {
      return levels.map { Float(byte($0)) }
    }
    switch preparation {
    case .asTheyAre:
      return levels
    case .rescaled(let low, let high):
      return levels.map { Float(low + Double($0) / 255 * (high - low)) }
    case .zscore:
      return Normalisation.zscore(levels)
    case .other(let note):
      throw ModelError.unsupported(
        what: "input \(name)", found: "a preparation that this package does not do: \(note)",
        expected: "values that are prepared already")
    }
  }
}

/// Normalising as the network was trained.
enum Normalisation {
  /// What the standard deviation is divided by at least: a constant picture becomes zeros.
  static let floor = 1e-8

  /// (x - mean) / max(standard deviation, 1e-8) of each channel, in `Double`, rounded once.
  ///
  /// [N, C, ...] to the same. Source: nnU-Net v2's `ZScoreNormalization` without a mask.
  static func zscore(_ tensor: Tensor<Float>) -> Tensor<Float> {
    let planes = tensor.shape[0] * tensor.shape[1]
    let count = planes == 0 ? 0 : tensor.values.count / planes
    var values = tensor.values
    for plane in 0..<planes {
      let places = (plane * count)..<((plane + 1) * count)
      let mean = summed(places) { Double(tensor.values[$0]) } / Double(count)
      let variance =
        summed(places) { place in
          let centred = Double(tensor.values[place]) - mean
          return centred * centred
        } / Double(count)
      let spread = max(variance.squareRoot(), floor)
      for place in places {
        values[place] = Float((Double(tensor.values[place]) - mean) / spread)
      }
    }
    return Tensor(tensor.shape, values)
  }

  /// A sum by halves, so that roundings do not pile up.
  private static func summed(_ places: Range<Int>, _ value: (Int) -> Double) -> Double {
    if places.count <= 128 {
      return places.reduce(0) { $0 + value($1) }
    }
    let middle = places.lowerBound + places.count / 2
    return summed(places.lowerBound..<middle, value) + summed(middle..<places.upperBound, value)
  }
}
