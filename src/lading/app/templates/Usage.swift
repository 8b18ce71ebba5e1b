import ´name´

let network = ´name´()
//% if maps %//
let picture = try Picture(image)  // a CGImage or a CVPixelBuffer
let map = try await network.segment(picture)
for area in map.areas(spacing: (down: 0.3, across: 0.3)) {
  print(area.name, area.pixels, area.squareMillimetres ?? 0)
}
let shown = try map.overlay(on: picture).cgImage()
//% elif vocabulary %//
let found = try await network.classify("ghbdtn")
print(found.label, found.top(3))
//% elif reading and pictures %//
let found = try await network.classify(Picture(image))  // a CGImage or a CVPixelBuffer
print(found.label, found.top(3))
//% elif denoiser %//
let made = try await network.sample(seed: 7) { step in
  print("move \(step.number) of \(step.of)")
}
let shown = try Picture(signed: made).cgImage()
//% else %//
let input = ´name´Input(
//% for port in inputs %//
//% set variable, shape = port.variable, port.shape %//
//% if not loop.last %//
  ´variable´: Tensor(shape: ´shape´, repeating: 0),
//% else %//
  ´variable´: Tensor(shape: ´shape´, repeating: 0)
//% endif %//
//% endfor %//
)
let output = try await network.prediction(input: input)
print(output)
//% endif %//
