/// Where in memory the numbers of an array lie, in row-major order.
func offsets(_ shape: [Int], _ strides: [Int]) -> [Int] {
  var places = [0]
  for (length, stride) in zip(shape, strides) {
    places = places.flatMap { place in (0..<length).map { place + $0 * stride } }
  }
  return places
}
