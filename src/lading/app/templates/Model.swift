#if canImport(CoreML)
  import CoreML
#endif

/// What the network takes.
public struct ´name´Input: Sendable, Equatable {
//% for port in inputs %//
//% set variable, type = port.variable, port.type %//
  /// ´port.about´
  public var ´variable´: ´type´
//% endfor %//

  /// An input of these values.
  public init(
//% for port in inputs %//
//% set variable, type = port.variable, port.type %//
//% if not loop.last %//
    ´variable´: ´type´,
//% else %//
    ´variable´: ´type´
//% endif %//
//% endfor %//
  ) {
//% for port in inputs %//
//% set variable = port.variable %//
    self.´variable´ = ´variable´
//% endfor %//
  }

  /// The values by the names that the model file has.
  public var values: [String: Value] {
    [
//% for port in inputs %//
//% if loop.length > 1 %//
      ´port.name´: ´port.value´,
//% else %//
      ´port.name´: ´port.value´
//% endif %//
//% endfor %//
    ]
  }
}

/// What the network gives.
public struct ´name´Output: Sendable, Equatable {
//% for port in outputs %//
//% set variable, type = port.variable, port.type %//
  /// ´port.about´
  public let ´variable´: ´type´
//% endfor %//

  /// The outputs, taken from values by the names that the model file has.
  ///
  /// - Throws: ``ModelError`` where one is missing, or of another type.
  public init(values: [String: Value]) throws {
//% for port in outputs %//
//% set variable = port.variable %//
    ´variable´ = try values.´port.reader´(´port.name´)
//% endfor %//
  }
}

/// The network and what stands around it.
///
//% for line in about %//
/// ´line´
//% endfor %//
public final class ´name´: Sendable {
  /// What computes the outputs.
  public let network: any Network

  /// The network computed by something of your own, such as a replay in a test.
  public init(network: any Network) {
    self.network = network
  }

  #if canImport(CoreML)
    /// The network in Core ML, loaded when it is first asked.
    ///
    /// - Parameter computeUnits: where Core ML may run it.
    public convenience init(computeUnits: MLComputeUnits = .all) {
      self.init(
        network: CoreMLNetwork(
          file: Facts.file, computeUnits: computeUnits, inputs: Facts.inputs,
          outputs: Facts.outputs))
    }

    /// The network in Core ML, loaded now.
    ///
    /// - Throws: ``ModelError`` where the package lacks its model, or what Core ML says.
    public static func load(
      configuration: MLModelConfiguration = MLModelConfiguration()
    ) async throws -> ´name´ {
      let loaded = try await Facts.file.load(configuration: configuration)
      return ´name´(
        network: CoreMLNetwork(loaded: loaded, inputs: Facts.inputs, outputs: Facts.outputs))
    }

    /// One prediction with options of Core ML.
    ///
    /// - Throws: ``ModelError`` where the input does not fit, or what Core ML says.
    public func prediction(
      input: ´name´Input, options: MLPredictionOptions
    ) async throws -> ´name´Output {
      guard let network = network as? CoreMLNetwork else {
        return try await prediction(input: input)
      }
      try Facts.require(input.values)
      return try await ´name´Output(
        values: network.predict(input.values, options: CoreMLNetwork.Options(options: options)))
    }
  #endif

  /// One prediction.
  ///
  /// - Throws: ``ModelError`` where the input does not fit, or what the network says.
  public func prediction(
    input: ´name´Input
  ) async throws -> ´name´Output {
    try Facts.require(input.values)
    let values = try await network.predict(input.values)
    return try ´name´Output(values: values)
  }
}
