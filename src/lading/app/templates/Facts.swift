/// What the conversion found out about this network.
public enum Facts {
  /// The SHA-256 of the checkpoint that the network was read from.
  public static let checkpoint = ´checkpoint´

  /// What the model file takes.
  public static let inputs: [Port] = [
//% for port in inputs %//
    Port(
      name: ´port.name´,
      kind: ´port.kind´,
      element: ´port.element´,
      shape: ´port.shape´,
      sizes: ´port.sizes´,
      preparation: ´port.preparation´
//% if loop.length > 1 %//
    ),
//% else %//
    )
//% endif %//
//% endfor %//
  ]

  /// What it gives.
  public static let outputs: [Port] = [
//% for port in outputs %//
    Port(
      name: ´port.name´,
      kind: ´port.kind´,
      element: ´port.element´,
      shape: ´port.shape´,
      sizes: .fixed,
      preparation: .asTheyAre
//% if loop.length > 1 %//
    ),
//% else %//
    )
//% endif %//
//% endfor %//
  ]

  /// The precision of the model file: fp16 or fp32.
  public static let precision = ´precision´

//% if reading %//
  /// The names of the classes, in the order of their labels.
  public static let labels: [String] = [
//% for label in labels %//
//% if loop.length > 1 %//
    ´label´,
//% else %//
    ´label´
//% endif %//
//% endfor %//
  ]

  /// How the outputs are read.
  public static let reading = Reading(
    source: ´reading.source´,
    activation: ´reading.activation´,
    regions: ´reading.regions´,
    several: ´reading.several´,
    names: labels
  )

//% endif %//
//% if plans %//
  /// What the plans of the training say of tiles.
  static let plans: Plans? = Plans(
    step: ´plans.step´,
    mirrored: ´plans.mirrored´,
    spacing: ´plans.spacing´
  )

//% elif maps %//
  /// Nothing is known of the plans of the training.
  static let plans: Plans? = nil

//% endif %//
//% if vocabulary %//
  /// The characters that the network knows.
  public static let vocabulary = Vocabulary(
    characters: [
//% for part in vocabulary.parts %//
//% if loop.length > 1 %//
      ´part´,
//% else %//
      ´part´
//% endif %//
//% endfor %//
    ].joined(),
    length: ´vocabulary.length´
  )

//% endif %//
//% if denoiser %//
  /// What the training of the diffusion was.
  static let denoiser = Denoiser.Facts(
    kind: ´denoiser.kind´,
    trained: ´denoiser.trained´,
    respacing: ´denoiser.respacing´,
    rescaled: ´denoiser.rescaled´,
    answer: ´denoiser.answer´,
    variance: ´denoiser.variance´,
    lastClass: ´denoiser.last_class´,
    isStep: ´denoiser.is_step´
  )

//% endif %//
  #if canImport(CoreML)
    static let file = ModelFile(
      name: ´file.name´,
      suffix: ´file.suffix´,
      digest: ´file.digest´
    )
  #endif

  /// Passes only values of shapes that the network takes.
  static func require(_ values: [String: Value]) throws {
    for port in inputs {
      switch values[port.name] {
      case .floats(let tensor)?: try port.require(tensor.shape)
      case .integers(let tensor)?: try port.require(tensor.shape)
      case .byClass?, nil:
        throw ModelError.missing(
          what: "input \(port.name)", found: "nothing", expected: "an array \(port.shape)")
      }
    }
  }
}
