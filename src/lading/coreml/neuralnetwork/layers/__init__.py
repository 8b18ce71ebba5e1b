"""The layers; see `lading.coreml.neuralnetwork.registry`. Formulas: Apple's NeuralNetwork.proto."""
