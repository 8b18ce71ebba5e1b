#if canImport(CoreML)
  import CoreML
  import Foundation

  /// A model that one actor alone hands to Core ML.
  struct LoadedModel: @unchecked Sendable {
    let model: MLModel
  }

  /// The model file that lies in this package.
  ///
  /// Where Xcode has compiled it, that is what is opened. Else it is compiled when it is first
  /// needed and kept in the caches folder by its digest.
  struct ModelFile: Sendable {
    let name: String
    let suffix: String
    let digest: String

    /// The model, loaded.
    func load(configuration: MLModelConfiguration) async throws -> LoadedModel {
      let url = try await compiled()
      return LoadedModel(
        model: try await MLModel.load(contentsOf: url, configuration: configuration))
    }

    private func compiled() async throws -> URL {
      if let url = Bundle.module.url(forResource: name, withExtension: "mlmodelc") {
        return url
      }
      guard let source = Bundle.module.url(forResource: name, withExtension: suffix) else {
        throw ModelError.missing(
          what: "\(name).\(suffix)", found: "no such file in \(Bundle.module.bundlePath)",
          expected: "the model as a resource of the package")
      }
      let files = FileManager.default
      let caches = try files.url(
        for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
      let folder = caches.appendingPathComponent("lading").appendingPathComponent(digest)
      let kept = folder.appendingPathComponent("\(name).mlmodelc")
      if files.fileExists(atPath: kept.path) {
        return kept
      }
      let made = try await MLModel.compileModel(at: source)
      try files.createDirectory(at: folder, withIntermediateDirectories: true)
      do {
        try files.moveItem(at: made, to: kept)
      } catch {
        guard files.fileExists(atPath: kept.path) else { throw error }
      }
      return kept
    }
  }
#endif
