#if canImport(CoreML)
  import CoreML
  import Foundation

  /// Arrays of Core ML, whose rows may lie apart in memory.
  enum MultiArray {
    /// A new array of these numbers.
    static func made<Element>(
      _ shape: [Int], _ type: MLMultiArrayDataType, _ values: [Element]
    ) throws -> MLMultiArray {
      let array = try MLMultiArray(shape: shape.map { NSNumber(value: $0) }, dataType: type)
      array.withUnsafeMutableBytes { bytes, strides in
        let places = bytes.bindMemory(to: Element.self)
        for (place, value) in zip(offsets(shape, strides), values) {
          places[place] = value
        }
      }
      return array
    }

    /// The numbers of an array, in row-major order.
    static func read(_ array: MLMultiArray) throws -> Value {
      let shape = array.shape.map { $0.intValue }
      let places = offsets(shape, array.strides.map { $0.intValue })
      switch array.dataType {
      case .float32:
        return .floats(Tensor(shape, values(array, places) { (value: Float) in value }))
      case .float16:
        return .floats(Tensor(shape, values(array, places) { (bits: UInt16) in Half.float(bits) }))
      case .double:
        return .floats(Tensor(shape, values(array, places) { (value: Double) in Float(value) }))
      case .int32:
        return .integers(Tensor(shape, values(array, places) { (value: Int32) in value }))
      default:
        throw ModelError.unsupported(
          what: "an output", found: "numbers of type \(array.dataType.rawValue)",
          expected: "float16, float32, float64 or int32")
      }
    }

    private static func values<Element, Number>(
      _ array: MLMultiArray, _ places: [Int], _ change: (Element) -> Number
    ) -> [Number] {
      array.withUnsafeBytes { bytes in
        let memory = bytes.bindMemory(to: Element.self)
        return places.map { change(memory[$0]) }
      }
    }
  }
#endif
