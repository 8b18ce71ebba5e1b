import SwiftUI

@main
struct SamplingApp: App {
  var body: some Scene {
    WindowGroup { ContentView() }
  }
}

struct ContentView: View {
  @State private var seed = 0
  @State private var shown: CGImage?
  @State private var progress = 0.0
  @State private var problem = ""
  private let painter = Painter()

  var body: some View {
    VStack {
      if let shown {
        Image(decorative: shown, scale: 1).interpolation(.none).resizable().scaledToFit()
      }
      ProgressView(value: progress)
      Stepper("Seed \(seed)", value: $seed, in: 0...9999)
      Text(problem).foregroundStyle(.red)
    }
    .padding()
    .task(id: seed) { await paint() }  // a new seed cancels the walk of the old one
  }

  private func paint() async {
    do {
      shown = try await painter.painted(seed: UInt64(seed)) { share in
        Task { @MainActor in progress = share }
      }
      problem = ""
    } catch is CancellationError {
      progress = 0
    } catch {
      problem = "\(error)"
    }
  }
}
