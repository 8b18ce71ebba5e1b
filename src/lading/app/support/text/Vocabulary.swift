/// The characters that the network knows, in the order of their ids, from 1.
///
/// 0 stands for padding and for every other character. A character is one Unicode scalar.
public struct Vocabulary: Sendable, Equatable {
  /// Each character once.
  public let characters: String
  /// How many ids the network takes: a text is cut, or padded at its end.
  public let length: Int

  private let places: [Unicode.Scalar: Int32]

  init(characters: String, length: Int) {
    self.characters = characters
    self.length = length
    var places: [Unicode.Scalar: Int32] = [:]
    for (place, character) in characters.unicodeScalars.enumerated() {
      places[character] = Int32(place + 1)
    }
    self.places = places
  }

  /// The ids of a text.
  public func ids(_ text: String) -> [Int32] {
    let known = text.unicodeScalars.prefix(length).map { places[$0] ?? 0 }
    return known + [Int32](repeating: 0, count: length - known.count)
  }

  /// Passes only a text that the network can see something of.
  public func require(_ text: String) throws {
    guard ids(text).contains(where: { $0 != 0 }) else {
      throw ModelError.text(
        what: "the text \(text.debugDescription)",
        found: "no character that the network knows in the first \(length)",
        expected: "one of its \(places.count) characters at least")
    }
  }
}
