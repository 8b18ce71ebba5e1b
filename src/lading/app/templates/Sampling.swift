extension ´name´ {
  /// A picture from noise, values -1 to 1: that of `lading sample` with the same seed.
  ///
  /// - Parameters:
  ///   - seed: of the noise.
  ///   - picture: which of the pictures of that seed.
//% if denoiser.is_step %//
  ///   - last: how many of the last moves are made; nil for all.
  ///   - start: x to start from, in place of noise.
  ///   - moved: told of every move.
  /// - Throws: `CancellationError` when the task is cancelled, ``ModelError``, or what the network
  ///   says.
  public func sample(
    seed: UInt64, picture: UInt32 = 0, last: Int? = nil, start: Tensor<Float>? = nil,
    moved: (Step) -> Void = { _ in }
  ) async throws -> Tensor<Float> {
    let denoiser = Denoiser(
      facts: Facts.denoiser, inputs: Facts.inputs, output: Facts.outputs[0], network: network)
    let walk = Walk(
      denoiser: denoiser, process: try denoiser.process(Facts.denoiser.respacing, clip: true),
      sampler: .ddpm, seed: seed, picture: picture, label: nil, shape: Facts.inputs[0].shape)
    return try await walk.stepped(last: last, start: start, moved: moved)
  }
//% else %//
  ///   - sampler: the way from noise to a picture.
  ///   - respacing: how many steps: `"25"`, sections such as `"10,10,20"`, or `"ddim50"`; nil for
  ///     the network's own, or else 50 of ``Sampler/ddim(eta:)`` and 250 of the others.
  ///   - clip: whether estimates of the picture are kept within -1 and 1.
  ///   - label: the class, of a network that knows classes.
  ///   - start: x to start from, in place of noise.
  ///   - moved: told of every move.
  /// - Throws: `CancellationError` when the task is cancelled, ``ModelError``, or what the network
  ///   says.
  public func sample(
    seed: UInt64, picture: UInt32 = 0, sampler: Sampler = .ddim(eta: 0), respacing: String? = nil,
    clip: Bool = true, label: Int? = nil, start: Tensor<Float>? = nil,
    moved: (Step) -> Void = { _ in }
  ) async throws -> Tensor<Float> {
    let denoiser = Denoiser(
      facts: Facts.denoiser, inputs: Facts.inputs, output: Facts.outputs[0], network: network)
    let process = try denoiser.process(respacing ?? denoiser.usual(sampler), clip: clip)
    let walk = Walk(
      denoiser: denoiser, process: process, sampler: sampler, seed: seed, picture: picture,
      label: label, shape: Facts.inputs[0].shape)
    return try await walk.run(start: start, moved: moved)
  }
//% endif %//
}
