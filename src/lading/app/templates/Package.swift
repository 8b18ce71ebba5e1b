// swift-tools-version: 5.9
import PackageDescription

let package = Package(
  name: ´title´,
  platforms: [.iOS(.v16), .macOS(.v13), .tvOS(.v16), .watchOS(.v9)],
  products: [
    .library(
      name: ´title´,
      targets: [´title´]
    )
  ],
  targets: [
    .target(
      name: ´title´,
      resources: [.copy(´resource´)]
    ),
    .testTarget(
      name: ´test_title´,
      dependencies: [.target(name: ´title´)],
      resources: [.copy("golden")]
    ),
  ],
  swiftLanguageVersions: [.v5, .version("6")]
)
