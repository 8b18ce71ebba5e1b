import SwiftUI

@main
struct LayoutsApp: App {
  var body: some Scene {
    WindowGroup { ContentView() }
  }
}

struct ContentView: View {
  @State private var text = "ghbdtn"
  @State private var layout = ""
  @State private var lines: [String] = []
  private let reader = Reader()

  var body: some View {
    VStack {
      TextField("Type", text: $text).textFieldStyle(.roundedBorder)
      Text(layout).font(.title)
      ForEach(lines, id: \.self) { Text($0) }
    }
    .padding()
    .task(id: text) { await read() }
  }

  private func read() async {
    do {
      (layout, lines) = try await reader.read(text)
    } catch {
      (layout, lines) = ("", ["\(error)"])
    }
  }
}
