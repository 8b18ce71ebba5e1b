"""The layers; see `lading.neuralnetwork.registry`. Formulas: Apple's NeuralNetwork.proto."""
