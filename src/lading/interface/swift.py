"""Swift that uses an artifact in Core ML: its inputs made as `snippets` makes them in Python.

It asks no more of the system than the artifact does: shaped arrays come with iOS 15, and
predictions that are waited for with iOS 17.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from lading.interface.snippets import comment, sizes, variables, vocabulary
from lading.record import ArtifactRecord, Port, Task
from lading.record.text import swift_literal
from lading.record.wording import other_sizes
from lading.task import kind_of

#: The element of an array, by dtype; anything else is `Float`.
ELEMENTS = {"int32": "Int32", "int64": "Int32", "float16": "Float16", "float64": "Double"}
#: The same before there were shaped arrays, as Core ML calls it.
KINDS = {"Int32": "int32", "Double": "double"}


def system(artifact: ArtifactRecord) -> int:
    """The oldest iOS that must run it, of a macOS its twin.

    >>> system(ArtifactRecord("a", "a", 1, "", "", (), (), "export", {"deployment": "macOS14"}))
    17
    """
    found = re.match(r"(iOS|macOS) ?(\d+)", artifact.details.get("deployment", ""))
    if not found:
        return 15
    number = int(found[2])
    return number + 3 if found[1] == "macOS" and number < 26 else number


def snippet(artifact: ArtifactRecord, task: Task) -> str:
    """Swift that makes the inputs, runs the artifact and reads its outputs."""
    oldest = system(artifact)
    body: list[str] = []
    fed = []
    for port, variable in zip(artifact.inputs, variables(artifact.inputs), strict=True):
        body += ["", *_input(port, variable, task, oldest)]
        made = f"MLMultiArray({variable})" if oldest >= 15 and port.kind != "image" else variable
        fed.append(f"    {swift_literal(port.name)}: {made},")
    call = "try await" if oldest >= 17 else "try"
    using = ", using: state" if artifact.states else ""
    if artifact.states:
        body += ["", "// The beginning; hand it to every call that follows, one after the other."]
        body.append("let state = model.makeState()")
    body += [
        "",
        "let features = try MLDictionaryFeatureProvider(dictionary: [",
        *fed,
        "])",
        f"let outputs = {call} model.prediction(from: features{using})",
    ]
    for index, port in enumerate(artifact.outputs):
        variable = port.name if port.name.isidentifier() else f"output{index}"
        body += _output(port, variable, task, oldest)
    pictures = any("planes(" in line or "cgImage:" in line for line in body)
    lines = ["import CoreGraphics"] * pictures + ["import CoreML", "import Foundation"]
    for name, text in (("planes(", PLANES), ("normalised", NORMALISED)):
        if any(name in line for line in body if not line.startswith("//")):
            lines += ["", *text.strip("\n").split("\n")]
    stem = swift_literal(PurePath(artifact.path).stem)
    lines += [
        "",
        "let configuration = MLModelConfiguration()",
        "configuration.computeUnits = .all  // or .cpuAndGPU, .cpuOnly: each rounds in its own way",
        f'let url = Bundle.main.url(forResource: {stem}, withExtension: "mlmodelc")!',
        "let model = try MLModel(contentsOf: url, configuration: configuration)",
    ]
    return "\n".join([*lines, *body]) + "\n"


PLANES = """
/// Values 0 to 255 of a picture at another size, a plane for each of 1 or 3 channels.
func planes(_ picture: CGImage, width: Int, height: Int, channels: Int) -> [[Float]] {
    let step = channels == 1 ? 1 : 4
    var pixels = [UInt8](repeating: 0, count: width * height * step)
    pixels.withUnsafeMutableBytes { bytes in
        let context = CGContext(
            data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8,
            bytesPerRow: width * step,
            space: step == 1 ? CGColorSpaceCreateDeviceGray() : CGColorSpaceCreateDeviceRGB(),
            bitmapInfo: (step == 1 ? CGImageAlphaInfo.none : .noneSkipLast).rawValue)!
        context.draw(picture, in: CGRect(x: 0, y: 0, width: width, height: height))
    }
    return (0..<channels).map { channel in
        stride(from: channel, to: pixels.count, by: step).map { Float(pixels[$0]) }
    }
}
"""

NORMALISED = """
/// One plane less its mean, by its deviation.
func normalised(_ plane: [Float]) -> [Float] {
    let mean = plane.reduce(0) { $0 + Double($1) } / Double(plane.count)
    let squares = plane.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let deviation = max((squares / Double(plane.count)).squareRoot(), 1e-8)
    return plane.map { Float((Double($0) - mean) / deviation) }
}
"""


def _input(port: Port, name: str, task: Task, oldest: int) -> list[str]:
    told = [f"// {name}: {other_sizes(port)}"] if other_sizes(port) else []
    return [*told, *_value(port, name, task, oldest)]


def _value(port: Port, name: str, task: Task, oldest: int) -> list[str]:
    shape = tuple(abs(size) for size in port.shape)
    if port.kind == "image":
        return [
            f"// cgImage: the picture, {port.color or 'grayscale'}; Core ML scales it to fit.",
            f"let constraint = model.modelDescription.inputDescriptionsByName"
            f"[{swift_literal(port.name)}]!.imageConstraint!",
            f"let {name} = try MLFeatureValue(cgImage: cgImage, constraint: constraint)",
        ]
    element = ELEMENTS.get(port.dtype, "Float")
    values = f"{name}Values"
    known = vocabulary(task)
    if port.dtype.startswith("int") and known and len(shape) == 2:
        lines = [
            f"let characters = Array({swift_literal(known)}.unicodeScalars)",
            'let text = Array("ghbdtn".unicodeScalars)',
            f"let {values} = (0..<{shape[1]}).map {{ place in  // 0: padding or unknown",
            "    place < text.count ? "
            "Int32((characters.firstIndex(of: text[place]) ?? -1) + 1) : 0",
            "}",
        ]
    elif port.dtype.startswith("int") or not _is_picture(port, task, shape):
        told = comment(port.meaning or "numbers")
        lines = [f"// {values}: [{element}], {told}, {sizes(port.shape)} in row-major order"]
    else:
        lines = _picture(port, values, shape)
        if element != "Float":
            lines.append(f"let {name}Cast = {values}.map({element}.init)")
            values = f"{name}Cast"
    return [*lines, *_array(name, values, element, shape, oldest)]


def _is_picture(port: Port, task: Task, shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] in (1, 3) and not kind_of(task).walks


def _picture(port: Port, values: str, shape: tuple[int, ...]) -> list[str]:
    told = "grey levels" if shape[1] == 1 else "red, green, blue"
    lines = [
        f"// picture: CGImage; Core Graphics draws it as {told} at {shape[3]} × {shape[2]}.",
        f"let {values} = planes("
        f"picture, width: {shape[3]}, height: {shape[2]}, channels: {shape[1]})",
    ]
    if port.meaning.startswith("normalised") and port.value_range:
        low, high = port.value_range
        lines.append(f"    .flatMap {{ $0.map {{ {low:g} + $0 / 255 * {high - low:g} }} }}")
    elif port.meaning.startswith("normalised"):
        lines.append("    .flatMap(normalised)")
    else:
        lines.append("    .flatMap { $0 }")
    return lines


def _array(name: str, values: str, element: str, shape: tuple[int, ...], oldest: int) -> list[str]:
    told = ", ".join(map(str, shape))
    if oldest >= 15:
        array = f"MLShapedArray<{element}>(scalars: {values}, shape: [{told}])"
        return [f"let {name} = {array}"]
    kind = KINDS.get(element, "float32")
    bound = "Float" if element == "Float16" else element
    return [
        f"let {name} = try MLMultiArray(shape: [{told}], dataType: .{kind})",
        f"{name}.dataPointer.bindMemory(to: {bound}.self, capacity: {values}.count)",
        f"    .update(from: {values}, count: {values}.count)",
    ]


def _output(port: Port, name: str, task: Task, oldest: int) -> list[str]:
    value = f"outputs.featureValue(for: {swift_literal(port.name)})!"
    if port.kind == "dictionary":
        return [
            f"let {name} = {value}.dictionaryValue  // by class",
            f"let label = {name}.max {{ $0.value.doubleValue < $1.value.doubleValue }}!.key",
        ]
    element = "Int32" if port.dtype.startswith("int") else "Float"
    array = f"{value}.multiArrayValue!"
    if oldest >= 15:
        lines = [
            f"let {name} = MLShapedArray<{element}>(",
            f"    converting: {array}",
            ").scalars",
        ]
    else:
        number = "int32Value" if element == "Int32" else "floatValue"
        lines = [
            f"let {name}Array = {array}",
            f"let {name} = (0..<{name}Array.count).map {{ {name}Array[$0].{number} }}",
        ]
    lines[-1] += f"  // {sizes(port.shape)}"
    if port.class_axis != 1:
        return lines
    if task.region_order:
        cut = "0.5" if port.meaning == "probabilities" else "0"
        order = ", ".join(map(str, task.region_order))
        lines += [
            f"let regions = [{order}]  // the label of each, a later one over those before",
            f"let positions = {name}.count / regions.count",
            "var labels = [Int](repeating: 0, count: positions)",
            "for (region, label) in regions.enumerated() {",
            f"    for position in 0..<positions where {name}[region * positions + position]"
            f" > {cut} {{",
            "        labels[position] = label",
            "    }",
            "}",
        ]
    elif task.labels:
        told = ", ".join(swift_literal(label) for label in task.labels)
        lines += [
            f"let classes = [{told}]",
            f"let positions = {name}.count / classes.count  // of each class, one plane after the "
            "other",
            "let labels = (0..<positions).map { position in",
            f"    classes.indices.max {{ {name}[$0 * positions + position]",
            f"        < {name}[$1 * positions + position] }}!",
            "}",
        ]
    return lines
