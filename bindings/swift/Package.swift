// swift-tools-version: 6.0
import PackageDescription

/// On Apple platforms an XCFramework can take the place of an installed library: its path in
/// this folder.
let framework = Context.environment["TOLMACH_XCFRAMEWORK"]

let package = Package(
  name: "Tolmach",
  platforms: [.macOS(.v13), .iOS(.v16), .tvOS(.v16), .watchOS(.v9), .visionOS(.v1)],
  products: [.library(name: "Tolmach", targets: ["Tolmach"])],
  targets: [
    framework.map { .binaryTarget(name: "CTolmach", path: $0) }
      ?? .systemLibrary(name: "CTolmach", pkgConfig: "tolmach"),
    .target(name: "Tolmach", dependencies: ["CTolmach"]),
    .testTarget(name: "TolmachTests", dependencies: ["Tolmach", "CTolmach"]),
  ]
    + ["chat", "tools", "structured", "images", "cancel"].map {
      .executableTarget(name: $0, dependencies: ["Tolmach"], path: "Examples/\($0)")
    }
)
