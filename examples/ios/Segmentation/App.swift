import PhotosUI
import SwiftUI

@main
struct SegmentationApp: App {
  var body: some Scene {
    WindowGroup { ContentView() }
  }
}

struct ContentView: View {
  @State private var choice: PhotosPickerItem?
  @State private var shown: CGImage?
  @State private var lines: [String] = []
  private let outliner = Outliner()

  var body: some View {
    VStack {
      if let shown {
        Image(decorative: shown, scale: 1).resizable().scaledToFit()
      }
      ForEach(lines, id: \.self) { Text($0) }
      PhotosPicker("Choose a photo", selection: $choice, matching: .images)
    }
    .padding()
    .task(id: choice) { await outline() }
  }

  private func outline() async {
    guard let choice else { return }
    do {
      guard let data = try await choice.loadTransferable(type: Data.self),
        let photo = UIImage(data: data)?.cgImage
      else {
        lines = ["This is no picture."]
        return
      }
      let (image, areas) = try await outliner.outlined(photo)
      shown = image
      lines = areas.map { "\($0.name): \($0.pixels) pixels" }
    } catch {
      lines = ["\(error)"]
    }
  }
}
