import Foundation

/// What a run on a device prints for `lading device-report`: a line of JSON for each output.
enum DeviceReport {
  /// What such a line begins with.
  static let mark = "LADING-DEVICE "

  /// One output of one vector on one choice of compute units.
  struct Line {
    let artifact: String
    let units: String
    let vector: String
    let output: String
    let rms: Double
    let peak: Double

    init(
      artifact: String, units: String, vector: String, output: String, expected: [Double],
      found: [Double]
    ) {
      self.artifact = artifact
      self.units = units
      self.vector = vector
      self.output = output
      peak = expected.reduce(0) { max($0, $1.magnitude) }
      guard expected.count == found.count else {
        rms = .infinity
        return
      }
      let squares = zip(expected, found).reduce(0) { sum, pair in
        sum + (pair.0 - pair.1) * (pair.0 - pair.1)
      }
      rms = (squares / Double(max(expected.count, 1))).squareRoot()
    }

    /// Prints the line.
    func print() {
      DeviceReport.print([
        "artifact": artifact, "units": units, "vector": vector, "output": output, "kind": "psnr",
        "rms": rms.isFinite ? "\(rms)" : "nan", "peak": "\(peak)",
      ])
    }
  }

  /// Prints the share of positions whose label is the original's.
  static func printAgreement(artifact: String, units: String, vector: String, share: Double) {
    print([
      "artifact": artifact, "units": units, "vector": vector, "output": "labels",
      "kind": "label_agreement", "share": "\(share)",
    ])
  }

  private static func print(_ facts: [String: String]) {
    var line = facts
    line["system"] = ProcessInfo.processInfo.operatingSystemVersionString
    line["machine"] = machine
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    guard let data = try? encoder.encode(line) else { return }
    Swift.print(mark + String(decoding: data, as: UTF8.self))
  }

  /// What the hardware calls itself, such as iPhone15,4.
  private static var machine: String {
    var name = utsname()
    uname(&name)
    return withUnsafeBytes(of: &name.machine) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
