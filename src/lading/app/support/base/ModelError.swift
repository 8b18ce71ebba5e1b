/// What went wrong: what it is about, what was found there, and what was expected.
public enum ModelError: Error, Equatable, Sendable {
  /// An array of another shape, or of another number of values than its shape says.
  case shape(what: String, found: String, expected: String)
  /// A value out of its range.
  case value(what: String, found: String, expected: String)
  /// Something that is not there: an input, an output, a file.
  case missing(what: String, found: String, expected: String)
  /// A text in which the network sees nothing.
  case text(what: String, found: String, expected: String)
  /// Something that this system, or this network, cannot do.
  case unsupported(what: String, found: String, expected: String)

  /// The three parts.
  public var parts: (what: String, found: String, expected: String) {
    switch self {
    case .shape(let what, let found, let expected), .value(let what, let found, let expected),
      .missing(let what, let found, let expected), .text(let what, let found, let expected),
      .unsupported(let what, let found, let expected):
      return (what, found, expected)
    }
  }
}

extension ModelError: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    let (what, found, expected) = parts
    return "\(what): found \(found), expected \(expected)"
  }
}
