import Foundation

/// A picture larger than the network: tiles that overlap, weighed by their distance to the middle.
///
/// Source: nnU-Net v2's sliding window (`compute_steps_for_sliding_window`, `compute_gaussian`).
enum Tiling {
  /// Where tiles of a length begin along an axis, evenly spread, each at most `step` of a tile on.
  static func starts(length: Int, tile: Int, step: Double) -> [Int] {
    guard length > tile else { return [0] }
    let count = Int((Double(length - tile) / (Double(tile) * step)).rounded(.up)) + 1
    let stride = Double(length - tile) / Double(count - 1)
    return (0..<count).map { Int((stride * Double($0)).rounded(.toNearestOrEven)) }
  }

  /// The weights of a tile: a Gaussian around its middle, sigma an eighth of it, largest 1.
  ///
  /// The filter ends four sigmas away; what lies beyond counts as much as the least that does not.
  static func gaussian(height: Int, width: Int) -> [Float] {
    let (down, across) = (line(height), line(width))
    let largest = down[height / 2] * across[width / 2]
    var weights = down.flatMap { one in across.map { one * $0 / largest } }
    let least = weights.filter { $0 > 0 }.min() ?? 1
    weights = weights.map { $0 > 0 ? $0 : least }
    return weights.map { Float($0) }
  }

  private static func line(_ length: Int) -> [Double] {
    let sigma = Double(length) / 8
    let radius = Int(4 * sigma + 0.5)
    let kernel = (-radius...radius).map { exp(-0.5 / (sigma * sigma) * Double($0 * $0)) }
    let total = kernel.reduce(0, +)
    return (0..<length).map { place in
      let distance = place - length / 2
      return distance.magnitude <= radius ? kernel[distance + radius] / total : 0
    }
  }

  /// Every way of turning over some of the axes, none at first.
  static func mirrored(_ axes: [Int]) -> [[Int]] {
    (0..<(1 << axes.count)).map { bits in
      axes.indices.filter { bits >> $0 & 1 == 1 }.map { axes[$0] }
    }
  }

  /// Planes turned over along some of the two axes of a picture: 0 is down, 1 across.
  static func flipped(_ tensor: Tensor<Float>, _ axes: [Int]) -> Tensor<Float> {
    guard !axes.isEmpty else { return tensor }
    let (height, width) = (tensor.shape[2], tensor.shape[3])
    var values = tensor.values
    for plane in 0..<(tensor.shape[0] * tensor.shape[1]) {
      for y in 0..<height {
        let from = axes.contains(0) ? height - 1 - y : y
        for x in 0..<width {
          let other = axes.contains(1) ? width - 1 - x : x
          values[(plane * height + y) * width + x] =
            tensor.values[(plane * height + from) * width + other]
        }
      }
    }
    return Tensor(tensor.shape, values)
  }

  /// Scores over a whole picture [1, C, H, W] from those of its tiles.
  ///
  /// One that is smaller than a tile stands in the middle of zeros.
  ///
  /// - Parameters:
  ///   - picture: as the network takes it, of any height and width.
  ///   - tile: the size of a tile.
  ///   - step: how far the next tile begins at most, as a share of a tile.
  ///   - axes: those that tiles are turned over along, the mean being taken.
  ///   - scores: of one tile.
  static func scores(
    _ picture: Tensor<Float>, tile: (height: Int, width: Int), step: Double, axes: [Int],
    scores: (Tensor<Float>) async throws -> Tensor<Float>
  ) async throws -> Tensor<Float> {
    let (height, width) = (picture.shape[2], picture.shape[3])
    let (tall, wide) = (max(height, tile.height), max(width, tile.width))
    let (top, left) = ((tall - height) / 2, (wide - width) / 2)
    let padded = placed(picture, in: (tall, wide), at: (top, left))
    let weights = gaussian(height: tile.height, width: tile.width)
    var total: [Float] = []
    var classes = 0
    var weight = [Float](repeating: 0, count: tall * wide)
    for y in starts(length: tall, tile: tile.height, step: step) {
      for x in starts(length: wide, tile: tile.width, step: step) {
        let part = cut(padded, at: (y, x), of: tile)
        let answer = try await mean(part, axes: axes, scores: scores)
        guard answer.shape.count == 4, answer.shape[2...] == [tile.height, tile.width] else {
          throw ModelError.shape(
            what: "scores of a tile", found: "\(answer.shape)",
            expected: "[1, classes, \(tile.height), \(tile.width)]")
        }
        if total.isEmpty {
          classes = answer.shape[1]
          total = [Float](repeating: 0, count: classes * tall * wide)
        }
        for row in 0..<tile.height {
          for column in 0..<tile.width {
            let place = (y + row) * wide + x + column
            let share = weights[row * tile.width + column]
            weight[place] += share
            for one in 0..<classes {
              total[one * tall * wide + place] +=
                answer.values[(one * tile.height + row) * tile.width + column] * share
            }
          }
        }
      }
    }
    for place in total.indices {
      total[place] /= weight[place % (tall * wide)]
    }
    return cut(Tensor([1, classes, tall, wide], total), at: (top, left), of: (height, width))
  }

  /// The mean of the scores over every way of turning a tile over, each turned back.
  static func mean(
    _ part: Tensor<Float>, axes: [Int], scores: (Tensor<Float>) async throws -> Tensor<Float>
  ) async throws -> Tensor<Float> {
    let ways = mirrored(axes)
    var total = try await scores(part)
    for way in ways.dropFirst() {
      let answer = flipped(try await scores(flipped(part, way)), way)
      for place in total.values.indices {
        total.values[place] += answer.values[place]
      }
    }
    return ways.count == 1 ? total : total.map { $0 / Float(ways.count) }
  }

  private static func placed(
    _ picture: Tensor<Float>, in size: (height: Int, width: Int), at corner: (y: Int, x: Int)
  ) -> Tensor<Float> {
    let (planes, height, width) = (picture.shape[1], picture.shape[2], picture.shape[3])
    guard (height, width) != size else { return picture }
    var made = Tensor<Float>(shape: [1, planes, size.height, size.width], repeating: 0)
    for line in 0..<(planes * height) {
      let row = line / height * size.height + line % height + corner.y
      for x in 0..<width {
        made.values[row * size.width + corner.x + x] = picture.values[line * width + x]
      }
    }
    return made
  }

  private static func cut(
    _ picture: Tensor<Float>, at corner: (y: Int, x: Int), of size: (height: Int, width: Int)
  ) -> Tensor<Float> {
    let (planes, height, width) = (picture.shape[1], picture.shape[2], picture.shape[3])
    guard (height, width) != size else { return picture }
    let values = (0..<(planes * size.height)).flatMap { line -> ArraySlice<Float> in
      let row = line / size.height * height + line % size.height + corner.y
      return picture.values[(row * width + corner.x)..<(row * width + corner.x + size.width)]
    }
    return Tensor([1, planes, size.height, size.width], values)
  }
}
