// Computes cases that Python wrote, with the Swift that packages hold: JSON in, JSON out.

import Foundation

struct Numbers: Codable {
  var shape: [Int]
  var base64: String

  init<Element: Equatable & Sendable>(_ tensor: Tensor<Element>) {
    shape = tensor.shape
    base64 = tensor.values.withUnsafeBytes { Data($0).base64EncodedString() }
  }

  func tensor<Element: Equatable & Sendable>(_ zero: Element) throws -> Tensor<Element> {
    let bytes = [UInt8](Data(base64Encoded: base64) ?? Data())
    var values = [Element](repeating: zero, count: shape.reduce(1, *))
    values.withUnsafeMutableBytes { $0.copyBytes(from: bytes) }
    return try Tensor(shape: shape, values: values)
  }
}

struct Case: Codable {
  var kind: String
  var x: Numbers?
  var mask: Numbers?
  var known: Numbers?
  var size: [Int]?
  var tile: [Int]?
  var axes: [Int]?
  var regions: [Int32]?
  var text: String?
  var characters: String?
  var length: Int?
  var schedule: String?
  var trained: Int?
  var respacing: String?
  var rescaled: Bool?
  var sampler: String?
  var eta: Double?
  var answer: String?
  var variance: String?
  var clip: Bool?
  var jump: Int?
  var repeats: Int?
  var seed: String?
  var picture: UInt32?
  var draw: UInt32?
  var low: Double?
  var high: Double?
  var activation: String?
}

struct Answer: Codable {
  var floats: [String: Numbers] = [:]
  var doubles: [String: Numbers] = [:]
  var whole: [String: Numbers] = [:]
  var error: String?
}

/// Something to drive a sampler with: a formula that Python has too.
struct Formula: Network {
  let learned: Bool

  func predict(_ inputs: [String: Value]) async throws -> [String: Value] {
    guard case .floats(let x)? = inputs["x"], let time = try inputs["t"]?.floats("t") else {
      throw ModelError.missing(what: "x", found: "nothing", expected: "x and t")
    }
    let shift = Float(0.0007) * time.values[0]
    var values = x.values.map { Float(0.3) * $0 - shift }
    if learned {
      values += x.values.map { Float(0.5) * $0 }
    }
    return [
      "out": .floats(
        Tensor([1, values.count / x.values.count * x.shape[1]] + x.shape[2...], values))
    ]
  }
}

/// Scores of three classes for each pixel of a picture of one channel.
struct Scores: Network {
  func predict(_ inputs: [String: Value]) async throws -> [String: Value] {
    guard case .floats(let x)? = inputs["image"] else {
      throw ModelError.missing(what: "image", found: "nothing", expected: "a picture")
    }
    return ["scores": .floats(classes(x))]
  }
}

func classes(_ x: Tensor<Float>) -> Tensor<Float> {
  let width = x.shape[3]
  let planes = [Float(-1), 0, 1].map { slope in
    x.values.enumerated().map { place, value in
      slope * value + Float(0.01) * Float(place % width)
    }
  }
  return Tensor([1, 3, x.shape[2], width], planes.flatMap { $0 })
}

func port(_ shape: [Int], _ kind: Port.Kind = .tensor, _ how: Port.Preparation = .asTheyAre) -> Port
{
  Port(name: "image", kind: kind, element: .float32, shape: shape, sizes: .fixed, preparation: how)
}

func picture(_ tensor: Tensor<Float>) throws -> Picture {
  try Picture(
    width: tensor.shape[2], height: tensor.shape[1], channels: tensor.shape[0],
    values: tensor.values)
}

func solved(_ one: Case) async throws -> Answer {
  var made = Answer()
  let x = try one.x?.tensor(Float(0)) ?? Tensor(shape: [0], values: [])
  switch one.kind {
  case "resample":
    let (height, width) = (one.size![0], one.size![1])
    made.floats["y"] = Numbers(
      Tensor(
        [x.shape[0], height, width],
        Resampling.resampled(
          x.values, height: x.shape[1], width: x.shape[2], toHeight: height, toWidth: width)))
  case "zscore":
    made.floats["y"] = Numbers(try port(x.shape, .tensor, .zscore).prepared(levels: x))
  case "rescaled":
    let how = Port.Preparation.rescaled(low: one.low!, high: one.high!)
    made.floats["y"] = Numbers(try port(x.shape, .tensor, how).prepared(levels: x))
  case "pixels":
    made.floats["y"] = Numbers(try port(x.shape, .grey).prepared(levels: x))
  case "grey":
    let grey = try picture(x).converted(to: 1)
    made.floats["y"] = Numbers(Tensor([1, grey.height, grey.width], grey.values))
  case "signed":
    let shown = try Picture(signed: x)
    made.floats["y"] = Numbers(shown.tensor)
  case "labels":
    made.whole["y"] = Numbers(Labels.likeliest(x, axis: 1))
    made.doubles["softmax"] = Numbers(Labels.activated(x, .softmax, axis: 1))
    made.doubles["sigmoid"] = Numbers(Labels.activated(x, .sigmoid, axis: 1))
    made.whole["painted"] = Numbers(
      Labels.painted(x, axis: 1, regions: one.regions!, above: Float(one.low!)))
  case "text":
    let words = Vocabulary(characters: one.characters!, length: one.length!)
    made.whole["y"] = Numbers(Tensor([one.length!], words.ids(one.text!)))
    do {
      try words.require(one.text!)
    } catch {
      made.error = "refused"
    }
  case "half":
    made.floats["y"] = Numbers(x.map { Half.float(Half.bits($0)) })
  case "schedule":
    let table = try Schedule(
      one.schedule == "linear" ? .linear : .cosine, trained: one.trained!,
      respacing: one.respacing!, rescaled: one.rescaled!)
    let places = 0..<table.steps
    func column(_ values: [Double]) -> Numbers { Numbers(Tensor([values.count], values)) }
    made.whole["timesteps"] = Numbers(Tensor([table.steps], table.timesteps.map { Int32($0) }))
    made.doubles["betas"] = column(table.betas)
    made.doubles["kept"] = column(table.kept)
    made.doubles["before"] = column(table.before)
    made.doubles["times"] = column(places.map { table.timestep($0) })
    made.doubles["low"] = column(places.map { table.posteriorLogVariance($0) })
    made.doubles["large"] = column(places.map { table.largeLogVariance($0) })
    made.doubles["picture"] = column(places.map { table.posteriorOfPicture($0) })
    made.doubles["now"] = column(places.map { table.posteriorOfNow($0) })
    made.doubles["deviation"] = column(places.map { table.deviation($0, eta: one.eta!) })
  case "noise":
    made.floats["y"] = Numbers(
      Tensor(
        [one.length!],
        Noise.normal(
          seed: UInt64(one.seed!)!, picture: one.picture!, draw: one.draw!, count: one.length!)))
  case "walk":
    let facts = Denoiser.Facts(
      kind: one.schedule == "linear" ? .linear : .cosine, trained: one.trained!, respacing: "",
      rescaled: one.rescaled!, answer: one.answer == "noise" ? .noise : .picture,
      variance: one.variance == "learned range"
        ? .learnedRange : one.variance == "fixed small" ? .fixedSmall : .fixedLarge,
      lastClass: nil, isStep: false)
    let shape = one.size!
    let denoiser = Denoiser(
      facts: facts,
      inputs: [
        Port(
          name: "x", kind: .tensor, element: .float32, shape: shape, sizes: .fixed,
          preparation: .asTheyAre),
        Port(
          name: "t", kind: .tensor, element: .float32, shape: [1], sizes: .fixed,
          preparation: .asTheyAre),
      ],
      output: Port(
        name: "out", kind: .tensor, element: .float32, shape: shape, sizes: .fixed,
        preparation: .asTheyAre),
      network: Formula(learned: one.variance == "learned range"))
    var sampler = Sampler.ddpm
    if one.sampler == "ddim" {
      sampler = .ddim(eta: one.eta!)
    } else if one.sampler == "repaint" {
      sampler = .repaint(
        Sampler.Repaint(
          known: try one.known!.tensor(Float(0)), mask: try one.mask!.tensor(Float(0)),
          jump: one.jump!, repeats: one.repeats!))
    }
    let walk = Walk(
      denoiser: denoiser, process: try denoiser.process(one.respacing!, clip: one.clip!),
      sampler: sampler, seed: UInt64(one.seed!)!, picture: one.picture!, label: nil, shape: shape)
    var moves = 0
    made.floats["y"] = Numbers(try await walk.run(start: nil) { _ in moves += 1 })
    made.whole["moves"] = Numbers(Tensor([1], [Int32(moves)]))
  case "starts":
    made.whole["y"] = Numbers(
      try Tensor(
        shape: [Tiling.starts(length: one.length!, tile: one.size![0], step: one.low!).count],
        values: Tiling.starts(length: one.length!, tile: one.size![0], step: one.low!).map {
          Int32($0)
        }))
  case "gaussian":
    made.floats["y"] = Numbers(
      Tensor(one.size!, Tiling.gaussian(height: one.size![0], width: one.size![1])))
  case "tiles":
    made.floats["y"] = Numbers(
      try await Tiling.scores(
        x, tile: (one.tile![0], one.tile![1]), step: one.low!, axes: one.axes!, scores: classes))
  case "segment":
    let segmenter = Segmenter(
      input: port([1, 1] + one.size!, .tensor, .zscore),
      reading: Reading(
        source: .scores(output: "scores", axis: 1), activation: .softmax, regions: [],
        several: false, names: ["a", "b", "c"]),
      plans: Plans(step: 0.5, mirrored: [0, 1], spacing: nil), network: Scores())
    let map = try await segmenter.segment(
      picture(x), fit: .resampled, mirroring: !one.axes!.isEmpty)
    made.whole["y"] = Numbers(Tensor([map.height, map.width], map.labels))
    made.whole["areas"] = Numbers(
      Tensor([map.areas().count], map.areas().map { Int32($0.pixels) }))
  default:
    throw ModelError.unsupported(what: one.kind, found: "no such case", expected: "a known one")
  }
  return made
}

@main
enum Driver {
  static func main() async throws {
    let data = FileHandle.standardInput.readDataToEndOfFile()
    var answers: [Answer] = []
    for one in try JSONDecoder().decode([Case].self, from: data) {
      do {
        answers.append(try await solved(one))
      } catch let error as ModelError {
        answers.append(Answer(error: error.description))
      }
    }
    FileHandle.standardOutput.write(try JSONEncoder().encode(answers))
  }
}
