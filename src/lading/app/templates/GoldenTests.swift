import Foundation
import XCTest

@testable import ´name´

#if canImport(CoreML)
  import CoreML
#endif

/// The package on its golden vectors, stage by stage.
final class GoldenTests: XCTestCase {
//% if raw and pictures %//
  /// From levels 0 to 255 to what the network takes.
  func testPicturesArePrepared() throws {
    var (worst, count) = (0.0, 0)
    for vector in try Golden.load().vectors {
      for port in Facts.inputs {
        guard let raw = vector.raw[port.name], let stored = vector.inputs[port.name] else {
          continue
        }
        let levels = try Tensor(
          shape: raw.shape, values: Golden.numbers(raw).map { Float($0) })
        let made = try port.prepared(levels: levels)
        let expected = try Golden.numbers(stored)
        let largest = expected.reduce(1) { max($0, $1.magnitude) }
        worst = max(worst, Golden.worst(made.values.map { Double($0) }, expected) / largest)
        count += 1
      }
    }
    print("raw to prepared: \(count) pictures, differ by \(worst) of the largest, gate 1e-6")
    XCTAssertGreaterThan(count, 0)
    XCTAssertLessThanOrEqual(worst, 1e-6)
  }

//% endif %//
//% if text and vocabulary %//
  /// From texts to ids, all of them.
  func testTextsArePrepared() throws {
    var count = 0
    for vector in try Golden.load().vectors {
      for (name, text) in vector.text {
        let stored = try XCTUnwrap(vector.inputs[name])
        XCTAssertEqual(
          Facts.vocabulary.ids(text).map { Double($0) }, try Golden.numbers(stored), vector.name)
        count += 1
      }
    }
    print("raw to prepared: \(count) texts, every id the same")
    XCTAssertGreaterThan(count, 0)
  }

//% endif %//
//% if after and reading %//
  /// From the original's outputs to labels and probabilities.
  func testOutputsAreFinished() throws {
    var (worst, shared, labelled) = (0.0, 0, 0)
    for vector in try Golden.load().vectors {
      let outputs = try Replay.values(vector.outputs, Facts.outputs)
      if let stored = vector.after["labels"] {
        let labels = try XCTUnwrap(Facts.reading.labels(outputs))
        let wrong = try Golden.differing(labels.values, stored)
        XCTAssertEqual(wrong, 0, "\(vector.name): labels that differ")
        labelled += labels.values.count
      }
      if let stored = vector.after["probabilities"] {
        let shares = try XCTUnwrap(Facts.reading.probabilities(outputs))
        worst = max(worst, Golden.worst(shares.values, try Golden.numbers(stored)))
        shared += shares.values.count
      }
    }
    print("outputs to finished: \(labelled) labels, all the same")
    print("outputs to finished: \(shared) probabilities differ by \(worst), gate 1e-6")
    XCTAssertLessThanOrEqual(worst, 1e-6)
    XCTAssertGreaterThan(labelled + shared, 0)
  }

//% endif %//
  /// The whole way, the network being replaced by a replay: from the raw picture or text where a
  /// vector has one, else from what the network takes.
  func testTheWholeWayOnAReplay() async throws {
    let golden = try Golden.load()
    let model = ´name´(network: try Replay(golden))
//% if maps or (reading and pictures) or vocabulary %//
    var fromRaw = 0
//% endif %//
    for vector in golden.vectors {
//% if maps or (reading and pictures) or vocabulary %//
      if try await finishesFromRaw(vector, model) {
        fromRaw += 1
        continue
      }
//% endif %//
      let inputs = try Replay.values(vector.inputs, Facts.inputs)
      let input = try ´name´Input(values: inputs)
      let made = try await model.prediction(input: input)
      let outputs = try Replay.values(vector.outputs, Facts.outputs)
      let expected = try ´name´Output(values: outputs)
      XCTAssertTrue(made == expected, "\(vector.name): other outputs than the original's")
    }
//% if maps or (reading and pictures) or vocabulary %//
    print("the whole way: \(fromRaw) of them begin with what a user has")
//% endif %//
    print("the whole way: \(golden.vectors.count) vectors, the network a replay")
    XCTAssertFalse(golden.vectors.isEmpty)
  }

  /// A replay knows the golden vectors and nothing else.
  func testAReplayRefusesAnythingElse() async throws {
    let replay = try Replay(Golden.load())
    var inputs = try XCTUnwrap(replay.vectors.first).inputs
    let name = Facts.inputs[0].name
    switch try XCTUnwrap(inputs[name]) {
    case .floats(let tensor): inputs[name] = .floats(Tensor(shape: tensor.shape, repeating: 1e9))
    case .integers(let tensor): inputs[name] = .integers(Tensor(shape: tensor.shape, repeating: -9))
    case .byClass: XCTFail("no input is of this kind")
    }
    do {
      _ = try await replay.predict(inputs)
      XCTFail("it answered")
    } catch let error as ModelError {
      XCTAssertEqual(error.parts.what, "the replay")
    }
  }

  /// The network itself, on every compute unit, against what the original gives.
  func testCoreMLGivesWhatTheOriginalGives() async throws {
    #if canImport(CoreML)
      let golden = try Golden.load()
      let units: [(String, MLComputeUnits)] = [
        ("cpuOnly", .cpuOnly), ("cpuAndGPU", .cpuAndGPU),
        ("cpuAndNeuralEngine", .cpuAndNeuralEngine), ("all", .all),
      ]
      for (name, computeUnits) in units {
        let network = CoreMLNetwork(
          file: Facts.file, computeUnits: computeUnits, inputs: Facts.inputs,
          outputs: Facts.outputs)
        for vector in golden.vectors {
          let inputs = try Replay.values(vector.inputs, Facts.inputs)
          let outputs = try await network.predict(inputs)
          for (output, stored) in vector.outputs {
            let line = try DeviceReport.Line(
              artifact: Facts.file.digest, units: name, vector: vector.name, output: output,
              expected: Golden.numbers(stored),
//% if reading %//
              found: XCTUnwrap(outputs[output]).floats(output, labels: Facts.labels).values.map {
//% else %//
              found: XCTUnwrap(outputs[output]).floats(output).values.map {
//% endif %//
                Double($0)
              })
            line.print()
            if let gate = vector.rms[Facts.precision]?[output] {
              XCTAssertLessThanOrEqual(line.rms, gate, "\(name): \(vector.name): \(output)")
            }
          }
//% if reading %//
          try compareFinished(outputs, vector, golden, on: name)
//% endif %//
        }
      }
    #else
      throw XCTSkip("not run: Core ML exists on Apple's systems only")
    #endif
  }
//% if reading %//

  #if canImport(CoreML)
    private func compareFinished(
      _ outputs: [String: Value], _ vector: Golden.Vector, _ golden: Golden, on units: String
    ) throws {
      if let stored = vector.after["labels"], let labels = try Facts.reading.labels(outputs) {
        let expected = try Golden.numbers(stored)
        let equal = zip(labels.values, expected).filter { Double($0) == $1 }.count
        let gates = golden.tolerances[Facts.precision] ?? []
        let gate = gates.first { $0.kind == "label_agreement" }?.gate ?? 1
        let share = Double(equal) / Double(max(expected.count, 1))
        DeviceReport.printAgreement(
          artifact: Facts.file.digest, units: units, vector: vector.name, share: share)
        XCTAssertGreaterThanOrEqual(share, gate, "\(units): \(vector.name): labels")
      }
      if let stored = vector.after["probabilities"],
        let shares = try Facts.reading.probabilities(outputs)
      {
        let worst = Golden.worst(shares.values, try Golden.numbers(stored))
        print("\(units): \(vector.name): probabilities differ by \(worst), gate 0.01")
        XCTAssertLessThanOrEqual(worst, 0.01, "\(units): \(vector.name): probabilities")
      }
    }
  #endif
//% endif %//
//% if maps or (reading and pictures) or vocabulary %//

  /// Whether a vector has what a user begins with; then what a user sees is compared.
  private func finishesFromRaw(
    _ vector: Golden.Vector, _ model: ´name´
  ) async throws -> Bool {
    let input = Facts.inputs[0]
    guard let stored = vector.after["labels"] else { return false }
//% if vocabulary %//
    guard let text = vector.text[input.name] else { return false }
    let found = try await model.classify(text)
//% else %//
    guard let raw = vector.raw[input.name], raw.shape == input.shape, raw.shape[0] == 1 else {
      return false
    }
    let picture = try Picture(
      width: raw.shape[3], height: raw.shape[2], channels: raw.shape[1],
      values: Golden.numbers(raw).map { Float($0) })
//% if maps %//
    let map = try await model.segment(picture)
    let wrong = try Golden.differing(map.labels, stored)
    XCTAssertEqual(wrong, 0, "\(vector.name): labels that differ")
    XCTAssertEqual(map.areas().reduce(0) { $0 + $1.pixels }, picture.width * picture.height)
//% else %//
    let found = try await model.classify(picture)
//% endif %//
//% endif %//
//% if not maps %//
    let label = try XCTUnwrap(Golden.numbers(stored).first)
    XCTAssertEqual(found.label, Facts.reading.name(Int32(label)), vector.name)
//% endif %//
    return true
  }
//% endif %//
//% if denoiser %//

  /// The original's own walk from its seed to a picture, its answers being a replay.
  func testTheWalkOfTheOriginal() async throws {
    guard let walk = try Golden.load().walk else {
      throw XCTSkip("not run: the golden vectors have no room for a walk")
    }
    let replay = try WalkReplay(walk)
    let model = ´name´(network: replay)
    let expected = try Golden.numbers(XCTUnwrap(walk.x.last))
//% if denoiser.is_step %//
    let start = try Tensor(
      shape: walk.start.shape, values: Golden.numbers(walk.start).map { Float($0) })
    let made = try await model.sample(
      seed: walk.seed, last: walk.answers.count, start: start)
//% else %//
    let made = try await model.sample(
      seed: walk.seed, sampler: .ddim(eta: 0), respacing: walk.respacing,
      label: Facts.denoiser.lastClass.map { _ in 0 })
//% endif %//
    let largest = expected.reduce(1) { max($0, $1.magnitude) }
    let worst = Golden.worst(made.values.map { Double($0) }, expected) / largest
    print("a walk of \(walk.answers.count) moves: differs by \(worst) of the largest, gate 1e-5")
    XCTAssertLessThanOrEqual(worst, 1e-5)
    let asked = await replay.asked
    XCTAssertEqual(asked, walk.answers.count)
  }
//% endif %//
}
