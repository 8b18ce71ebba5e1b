#if canImport(CoreML)
  import CoreML
  import CoreVideo
  import Foundation

  /// The network in Core ML; it is loaded when it is first asked.
  ///
  /// A model's synchronous prediction may be under way once at a time: the actor sees to that. From
  /// iOS 17 and macOS 14 on, the asynchronous one is used.
  public actor CoreMLNetwork: Network {
    /// Options that nothing changes while Core ML reads them.
    struct Options: @unchecked Sendable {
      let options: MLPredictionOptions
    }

    private let inputs: [Port]
    private let outputs: [Port]
    private let opened: @Sendable () async throws -> LoadedModel
    private var loading: Task<LoadedModel, any Error>?

    /// A model that is loaded already.
    init(loaded: LoadedModel, inputs: [Port], outputs: [Port]) {
      self.inputs = inputs
      self.outputs = outputs
      opened = { loaded }
    }

    /// A model file of this package, loaded when it is first asked.
    init(file: ModelFile, computeUnits: MLComputeUnits, inputs: [Port], outputs: [Port]) {
      self.inputs = inputs
      self.outputs = outputs
      opened = {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = computeUnits
        return try await file.load(configuration: configuration)
      }
    }

    /// See ``Network``.
    public func predict(_ inputs: [String: Value]) async throws -> [String: Value] {
      try await predict(inputs, options: Options(options: MLPredictionOptions()))
    }

    func predict(_ inputs: [String: Value], options: Options) async throws -> [String: Value] {
      let model = try await loaded().model
      let features = try Self.provider(inputs, for: self.inputs)
      if #available(iOS 17, macOS 14, tvOS 17, watchOS 10, *) {
        return try read(
          await model.prediction(from: features, options: options.options))
      }
      return try read(Self.now(model, features, options.options))
    }

    private static func now(
      _ model: MLModel, _ features: any MLFeatureProvider, _ options: MLPredictionOptions
    ) throws -> any MLFeatureProvider {
      try model.prediction(from: features, options: options)
    }

    private func loaded() async throws -> LoadedModel {
      if let loading {
        return try await loading.value
      }
      let task = Task { [opened] in try await opened() }
      loading = task
      do {
        return try await task.value
      } catch {
        loading = nil  // the next call tries again
        throw error
      }
    }

    private static func provider(
      _ values: [String: Value], for ports: [Port]
    ) throws -> MLDictionaryFeatureProvider {
      var features: [String: MLFeatureValue] = [:]
      for port in ports {
        guard let value = values[port.name] else {
          throw ModelError.missing(
            what: "input \(port.name)", found: "nothing", expected: "a value")
        }
        switch port.kind {
        case .grey, .rgb:
          let levels = try value.floats(port.name)
          try port.require(levels.shape)
          features[port.name] = MLFeatureValue(pixelBuffer: try pixelBuffer(levels))
        case .tensor, .byClass:
          features[port.name] = MLFeatureValue(multiArray: try array(value, for: port))
        }
      }
      return try MLDictionaryFeatureProvider(dictionary: features)
    }

    private func read(_ features: any MLFeatureProvider) throws -> [String: Value] {
      var values: [String: Value] = [:]
      for port in outputs {
        let value = features.featureValue(for: port.name)
        if let array = value?.multiArrayValue {
          values[port.name] = try MultiArray.read(array)
        } else if port.kind == .byClass, let shares = value?.dictionaryValue {
          var byClass: [String: Double] = [:]
          for (label, share) in shares {
            byClass[label as? String ?? "\(label)"] = share.doubleValue
          }
          values[port.name] = .byClass(byClass)
        } else {
          throw ModelError.missing(
            what: "output \(port.name)", found: "nothing that can be read", expected: "an array")
        }
      }
      return values
    }

    private static func array(_ value: Value, for port: Port) throws -> MLMultiArray {
      switch (value, port.element) {
      case (.integers(let tensor), .int32):
        try port.require(tensor.shape)
        return try MultiArray.made(tensor.shape, .int32, tensor.values)
      case (.floats(let tensor), .float32):
        try port.require(tensor.shape)
        return try MultiArray.made(tensor.shape, .float32, tensor.values)
      case (.floats(let tensor), .float16):
        try port.require(tensor.shape)
        return try MultiArray.made(tensor.shape, .float16, tensor.values.map(Half.bits))
      case (.floats(let tensor), .float64):
        try port.require(tensor.shape)
        return try MultiArray.made(tensor.shape, .double, tensor.values.map { Double($0) })
      default:
        throw ModelError.value(
          what: "input \(port.name)", found: "another type", expected: "\(port.element)")
      }
    }
  }
#endif
