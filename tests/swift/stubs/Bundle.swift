// What the package manager makes of a target with resources.

import Foundation

extension Bundle {
  static let module = Bundle.main
}
