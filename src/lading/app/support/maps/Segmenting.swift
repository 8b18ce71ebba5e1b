/// How a picture is brought before the network.
public enum Fit: Sendable, Equatable {
  /// Resampled whole to the network's own size, as `lading run` does.
  case resampled
  /// In tiles of the network's size that overlap, as nnU-Net does.
  ///
  /// The picture is cut to what is not 0, normalised, and resampled from the spacing of its pixels,
  /// in millimetres down and across, to that of the training; without one it keeps its size.
  case tiled(spacing: Spacing?)

  /// Millimetres from one pixel to the next.
  public struct Spacing: Sendable, Equatable {
    /// From one row to the next.
    public let down: Double
    /// From one column to the next.
    public let across: Double

    /// Millimetres down and across.
    public init(down: Double, across: Double) {
      self.down = down
      self.across = across
    }
  }
}

/// What the plans of the training say of tiles.
struct Plans: Sendable, Equatable {
  /// How far the next tile begins at most, as a share of a tile.
  let step: Double
  /// The axes of a picture that may be turned over: 0 is down, 1 across.
  let mirrored: [Int]
  /// The spacing of the training, where it is known.
  let spacing: Fit.Spacing?
}

/// From a picture to its label map.
struct Segmenter: Sendable {
  let input: Port
  let reading: Reading
  let plans: Plans?
  let network: any Network

  func segment(_ picture: Picture, fit: Fit, mirroring: Bool) async throws -> LabelMap {
    let axes = mirroring ? try needed("mirroring").mirrored : []
    switch fit {
    case .resampled:
      let prepared = try input.prepared(picture)
      if case .labels = reading.source, !mirroring {
        return try await plain(prepared, of: picture)
      }
      let scores = try await Tiling.mean(prepared, axes: axes, scores: scores)
      return try map(resampled(scores, height: picture.height, width: picture.width))
    case .tiled(let spacing):
      return try await tiled(picture, spacing: spacing, axes: axes)
    }
  }

  private func plain(_ prepared: Tensor<Float>, of picture: Picture) async throws -> LabelMap {
    guard
      let found = try reading.labels(await network.predict([input.name: .floats(prepared)])),
      found.shape.count == 3
    else {
      throw unread
    }
    return LabelMap(
      width: picture.width, height: picture.height,
      labels: Resampling.nearest(
        found.values, height: found.shape[1], width: found.shape[2], toHeight: picture.height,
        toWidth: picture.width),
      names: reading.names)
  }

  private func tiled(_ picture: Picture, spacing: Fit.Spacing?, axes: [Int]) async throws
    -> LabelMap
  {
    let plans = try needed("tiling")
    let plain = try picture.converted(to: input.shape[1])
    let box = plain.notZero
    let part = plain.cut(box)
    let normalised = try input.prepared(levels: part)
    var (tall, wide) = (part.shape[2], part.shape[3])
    if let given = spacing, let wanted = plans.spacing {
      tall = max(1, Int((Double(tall) * given.down / wanted.down).rounded(.toNearestOrEven)))
      wide = max(1, Int((Double(wide) * given.across / wanted.across).rounded(.toNearestOrEven)))
    }
    let scores = try await Tiling.scores(
      resampled(normalised, height: tall, width: wide),
      tile: (input.shape[2], input.shape[3]), step: plans.step, axes: axes, scores: scores)
    let inside = try map(resampled(scores, height: part.shape[2], width: part.shape[3]))
    var labels = [Int32](repeating: 0, count: picture.width * picture.height)
    for (place, label) in inside.labels.enumerated() {
      let (y, x) = (place / inside.width + box.y.lowerBound, place % inside.width)
      labels[y * picture.width + box.x.lowerBound + x] = label
    }
    return LabelMap(
      width: picture.width, height: picture.height, labels: labels, names: reading.names)
  }

  private func scores(_ prepared: Tensor<Float>) async throws -> Tensor<Float> {
    guard case .scores(let output, axis: 1) = reading.source else { throw unread }
    let answer = try await network.predict([input.name: .floats(prepared)])
    guard let scores = try answer[output]?.floats(output), scores.shape.count == 4 else {
      throw unread
    }
    return scores
  }

  private func map(_ scores: Tensor<Float>) throws -> LabelMap {
    guard let labels = try reading.labels(scores: scores, axis: 1) else { throw unread }
    return LabelMap(
      width: scores.shape[3], height: scores.shape[2], labels: labels.values, names: reading.names)
  }

  private func resampled(_ planes: Tensor<Float>, height: Int, width: Int) -> Tensor<Float> {
    guard planes.shape[2...] != [height, width] else { return planes }
    return Tensor(
      [1, planes.shape[1], height, width],
      Resampling.resampled(
        planes.values, height: planes.shape[2], width: planes.shape[3], toHeight: height,
        toWidth: width))
  }

  private func needed(_ what: String) throws -> Plans {
    guard case .scores = reading.source, let plans else {
      throw ModelError.unsupported(
        what: what, found: "a network that gives labels, or of which no plans are known",
        expected: "scores, and the plans of its training")
    }
    return plans
  }

  private var unread: ModelError {
    .unsupported(
      what: "the outputs", found: "no map of classes",
      expected: "scores [1, classes, height, width], or labels [1, height, width]")
  }
}

extension Picture {
  /// The smallest box around what is not 0; the whole where there is nothing else.
  var notZero: (y: Range<Int>, x: Range<Int>) {
    var (top, bottom, left, right) = (height, 0, width, 0)
    for (place, value) in values.enumerated() where value != 0 {
      let (y, x) = (place / width % height, place % width)
      (top, bottom) = (min(top, y), max(bottom, y + 1))
      (left, right) = (min(left, x), max(right, x + 1))
    }
    return top < bottom ? (top..<bottom, left..<right) : (0..<height, 0..<width)
  }

  /// A part of it, [1, channels, height, width].
  func cut(_ box: (y: Range<Int>, x: Range<Int>)) -> Tensor<Float> {
    let lines = (0..<channels).flatMap { channel in
      box.y.flatMap { y -> ArraySlice<Float> in
        let row = (channel * height + y) * width
        return values[(row + box.x.lowerBound)..<(row + box.x.upperBound)]
      }
    }
    return Tensor([1, channels, box.y.count, box.x.count], lines)
  }
}
