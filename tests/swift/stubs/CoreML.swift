// Declarations alone of the symbols of Core ML that the packages use, for systems without it: the
// code behind `#if canImport(CoreML)` is checked against them, and never run. Names, labels and types
// are those of Apple's documentation; nothing is said to be Sendable that Apple does not say is.

import CoreVideo
import Foundation

public enum MLComputeUnits: Int, Sendable {
  case cpuOnly
  case cpuAndGPU
  case all
  case cpuAndNeuralEngine
}

open class MLModelConfiguration: NSObject {
  open var computeUnits: MLComputeUnits = .all
}

open class MLPredictionOptions: NSObject {}

public enum MLMultiArrayDataType: Int, Sendable {
  case double
  case float32
  case float16
  case int32
  case int8
}

open class MLMultiArray: NSObject {
  public init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws { fatalError() }
  open var dataType: MLMultiArrayDataType { fatalError() }
  open var shape: [NSNumber] { fatalError() }
  open var strides: [NSNumber] { fatalError() }
  open var count: Int { fatalError() }
  public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    fatalError()
  }
  public func withUnsafeMutableBytes<R>(
    _ body: (UnsafeMutableRawBufferPointer, [Int]) throws -> R
  ) rethrows -> R {
    fatalError()
  }
}

open class MLFeatureValue: NSObject {
  public convenience init(multiArray value: MLMultiArray) { fatalError() }
  public convenience init(pixelBuffer value: CVPixelBuffer) { fatalError() }
  open var multiArrayValue: MLMultiArray? { fatalError() }
  open var dictionaryValue: [AnyHashable: NSNumber] { fatalError() }
  open var stringValue: String { fatalError() }
}

public protocol MLFeatureProvider {
  var featureNames: Set<String> { get }
  func featureValue(for featureName: String) -> MLFeatureValue?
}

open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
  public init(dictionary: [String: Any]) throws { fatalError() }
  open var featureNames: Set<String> { fatalError() }
  open func featureValue(for featureName: String) -> MLFeatureValue? { fatalError() }
}

open class MLModel: NSObject {
  public convenience init(contentsOf url: URL) throws { fatalError() }
  public class func load(
    contentsOf url: URL, configuration: MLModelConfiguration = MLModelConfiguration()
  ) async throws -> MLModel { fatalError() }
  public class func compileModel(at modelURL: URL) async throws -> URL { fatalError() }
  open func prediction(from input: any MLFeatureProvider, options: MLPredictionOptions) throws
    -> any MLFeatureProvider
  { fatalError() }
  open func prediction(
    from input: any MLFeatureProvider, options: MLPredictionOptions = MLPredictionOptions()
  ) async throws -> any MLFeatureProvider { fatalError() }
}
