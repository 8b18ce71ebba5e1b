"""The networks of the table: library, code as its user names it, inputs, and how it is saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

HERE = "tests/breadth"


@dataclass(frozen=True)
class Case:
    """One network.

    Attributes:
        name: in the table, e.g. ``"timm resnet18"``.
        library: whose it is.
        code: what ``--model`` names.
        inputs: what ``--input`` says, one for each.
        form: how it is saved; a name of `tests.breadth.forms.FORMS`.
        arguments: what ``--model-arg`` says.
    """

    name: str
    library: str
    code: str
    inputs: tuple[str, ...]
    form: str
    arguments: tuple[str, ...] = ()


IMAGE, IDS = "x:float32[1,3,32,32]", "ids:int32[1,9]@0..14"
PLAIN = {
    "LeNet": "x:float32[1,1,28,28]", "Residual": IMAGE, "UNet": "x:float32[1,1,32,32]",
    "InnerModel": IMAGE, "Tagger": IDS, "CellByCell": "x:float32[1,5,6]",
    "Translator": "source:int32[1,7]@0..39 target:int32[1,5]@0..29", "PaddedEncoder": IDS,
    "Attention": "x:float32[1,6,16] keep:bool[1,6]",
    "Masked": "x:float32[1,6,16]@-1..1 keep:int32[1,6]@0..1", "LayerScale": "x:float32[1,8]",
    "AuxiliaryHead": IMAGE, "Parametrized": "x:float32[1,8,16]",
    "OldWeightNorm": "x:float32[1,4,20]", "Spectrogram": "wave:float32[1,320]@-1..1",
    "FourierMixer": "x:float32[1,8,16]", "SpectralConv": "x:float32[1,3,16]",
    "Put": "x:float32[2,6] where:int64[1]@0..5", "Volume": "x:float32[1,1,6,6,6]",
    "Modulated": "x:float32[1,4,8,8] w:float32[1,5]", "Positions": IMAGE,
    "SameName": "sample:float32[1,3,8,8] t:float32[1]",
    "Nested": "pair.0:float32[1,3,8,8] pair.1:float32[1,3,8,8] t:float32[]", "Tied": IDS,
    "Warp": "x:float32[1,3,16,16]",
    "Warp3d": "moving:float32[1,1,6,6,6] fixed:float32[1,1,6,6,6]",
    "GraphNet": "nodes:float32[5,8] source:int64[7]@0..4 target:int64[7]@0..4",
    "ScatterPool": "points:float32[9,4] cell:int64[9]@0..5", "Bag": IDS,
    "Arithmetic": "x:float32[1,6] n:int32[1,6]@0..20", "Circular": "x:float32[1,2,8,8]",
    "SuperResolution": "x:float32[1,3,12,12]@0..1", "WaveNet": "x:float32[1,1,40]",
    "Mixer": IMAGE, "PointNet": "points:float32[1,32,3]", "Radiance": "x:float32[16,3]@-1..1",
    "Rotary": IDS, "StateSpace": "x:float32[1,6,8]", "Autoencoder": "x:float32[1,20]",
    "Flow": "x:float32[1,6]", "Splines": "x:float32[2,4]@-2..2", "Pyramid": IMAGE,
    "Recognizer": "x:float32[1,1,16,40]",
    "Metric": "first:float32[1,3,16,16] second:float32[1,3,16,16]",
    "Topk": "x:float32[1,3,12,12]", "Experts": "x:float32[1,4,8]", "Quantizer": "x:float32[1,5,6]",
    "Downsampling": IMAGE,
}  # fmt: skip
TIMM = (
    "resnet10t", "mobilenetv3_small_050", "efficientnet_lite0", "vit_tiny_patch16_224",
    "convnext_atto", "swin_tiny_patch4_window7_224", "mixer_s32_224", "regnetx_002",
    "repvgg_a0", "edgenext_xx_small", "deit_tiny_patch16_224", "ghostnet_050",
)  # fmt: skip
#: Those whose picture's size is said where they are made.
SIZED = ("vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "mixer_s32_224",
         "deit_tiny_patch16_224")  # fmt: skip
VISION = ("resnet18", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5",
          "googlenet", "segmentation.lraspp_mobilenet_v3_large", "video.mc3_18")  # fmt: skip
SMP = ("Unet", "FPN", "DeepLabV3Plus", "Linknet", "PAN", "MAnet")
VOLUME = "x:float32[1,1,32,32,32]"
MONAI = {
    "UNet": ("spatial_dims=3 in_channels=1 out_channels=2 channels=(4,8,16) strides=(2,2)", VOLUME),
    "BasicUNet": ("spatial_dims=2 in_channels=1 features=(4,4,8,8,16,4)", "x:float32[1,1,32,32]"),
    "SegResNet": ("spatial_dims=3 init_filters=8", VOLUME),
    "UNETR": ("in_channels=1 out_channels=2 img_size=(32,32,32) feature_size=4 hidden_size=24"
              " mlp_dim=32 num_heads=4", VOLUME),
    "SwinUNETR": ("in_channels=1 out_channels=2 feature_size=12 spatial_dims=2"
                  " depths=(1,1,1,1)", "x:float32[1,1,64,64]"),
    "AttentionUnet": ("spatial_dims=2 in_channels=1 out_channels=2 channels=(4,8,16)"
                      " strides=(2,2)", "x:float32[1,1,32,32]"),
    "DynUNet": ("spatial_dims=2 in_channels=1 out_channels=2 kernel_size=(3,3,3) strides=(1,2,2)"
                " upsample_kernel_size=(2,2) filters=(4,8,16)", "x:float32[1,1,32,32]"),
    "VNet": ("spatial_dims=3 in_channels=1 out_channels=2", VOLUME),
    "DenseNet121": ("spatial_dims=3 in_channels=1 out_channels=2 init_features=8 growth_rate=4"
                    " block_config=(2,2)", VOLUME),
    "ViT": ("in_channels=1 img_size=(32,32) patch_size=8 hidden_size=24 mlp_dim=32 num_layers=2"
            " num_heads=4 spatial_dims=2", "x:float32[1,1,32,32]"),
    "AutoEncoder": ("spatial_dims=2 in_channels=1 out_channels=1 channels=(4,8) strides=(2,2)",
                    "x:float32[1,1,32,32]"),
    "FlexibleUNet": ("in_channels=3 out_channels=2 backbone='efficientnet-b0'",
                     "x:float32[1,3,64,64]"),
}  # fmt: skip
TOKENS = "input_ids:int32[1,8]@3..59"
PIXELS = "pixel_values:float32[1,3,32,32]"
FED = {
    "BertModel": f"{TOKENS} attention_mask:int32[1,8]@0..1", "WhisperModel":
    "input_features:float32[1,8,32] decoder_input_ids:int32[1,6]@3..59",
    "Wav2Vec2Model": "input_values:float32[1,800]@-1..1", "SegformerForSemanticSegmentation":
    "pixel_values:float32[1,3,64,64]", "MobileViTModel": "pixel_values:float32[1,3,64,64]",
}  # fmt: skip
DIFFUSED = {
    "UNet2DModel": "sample:float32[1,3,16,16] timestep:int32[1]@0..999",
    "UNet2DConditionModel": "sample:float32[1,4,8,8] timestep:int32[]@0..999"
                            " encoder_hidden_states:float32[1,5,16]",
    "AutoencoderKL": "sample:float32[1,3,16,16]", "VQModel": "sample:float32[1,3,16,16]",
    "DiTTransformer2DModel": "hidden_states:float32[1,4,8,8] timestep:int64[1]@0..999"
                             " class_labels:int64[1]@0..9",
    "AutoencoderTiny": "sample:float32[1,3,16,16]",
    "PriorTransformer": "hidden_states:float32[1,16] timestep:int32[1]@0..99"
                        " proj_embedding:float32[1,16] encoder_hidden_states:float32[1,4,16]",
    "ControlNetModel": "sample:float32[1,4,8,8] timestep:int32[1]@0..999"
                       " encoder_hidden_states:float32[1,5,16] controlnet_cond:float32[1,3,16,16]",
}  # fmt: skip
LANGUAGE = {
    "plain": "", "rotary": "rotary_pos_emb=True use_rmsnorm=True", "alibi": "alibi_pos_bias=True",
    "gated": "ff_glu=True ff_swish=True", "encoder": "causal=False rel_pos_bias=True",
}  # fmt: skip

#: What a state dict is saved as, in turn.
SAVED = ("state dict", "trainer's dict", "safetensors", "legacy pickle", "DataParallel", "compiled",
         "averaged", "whole module", "half precision", "torch.export", "TorchScript", "live module",
         "sharded safetensors")  # fmt: skip


def cases() -> list[Case]:
    """Every network, the libraries in turn, so that any beginning of it is a fair sample."""
    shelves: dict[str, list[Case]] = {}
    for case in _all():
        shelves.setdefault(case.library, []).append(case)
    places = {
        case.name: (place / len(shelf), library)
        for library, shelf in shelves.items()
        for place, case in enumerate(shelf)
    }
    return sorted(_all(), key=lambda case: places[case.name])


def _all() -> Iterator[Case]:
    form = cycle(SAVED)
    for name, text in PLAIN.items():
        code = f"{HERE}/plain.py:{name}"
        yield Case(f"torch {name}", "torch", code, tuple(text.split()), next(form))
    for name in TIMM:
        given = (f"model_name={name}", "num_classes=10", *("img_size=64",) * (name in SIZED))
        yield Case(f"timm {name}", "timm", "timm:create_model", ("x:float32[1,3,64,64]",),
                   next(form), given)  # fmt: skip
    for name in VISION:
        module, _, kind = name.rpartition(".")
        code = ".".join(["torchvision.models", *filter(None, [module])]) + f":{kind}"
        image = "x:float32[1,3,4,32,32]" if module == "video" else "x:float32[1,3,64,64]"
        given = {"googlenet": ("aux_logits=False", "init_weights=False")}.get(kind, ())
        if module == "segmentation":
            given = ("weights_backbone=None",)
        yield Case(f"torchvision {kind}", "torchvision", code, (image,), next(form), given)
    for name in SMP:
        given = ("encoder_name=resnet18", "encoder_weights=None", "classes=2")
        if name == "DeepLabV3Plus":
            given = ("encoder_name=timm-mobilenetv3_small_minimal_100", *given[1:])
        size = 128 if name == "PAN" else 64  # it pools to an eighth of a sixteenth
        yield Case(f"smp {name}", "segmentation-models", f"segmentation_models_pytorch:{name}",
                   (f"x:float32[1,3,{size},{size}]",), next(form), given)  # fmt: skip
    for name, (given_text, text) in MONAI.items():
        yield Case(f"MONAI {name}", "MONAI", f"monai.networks.nets:{name}", (text,), next(form),
                   tuple(given_text.split()))  # fmt: skip
    yield from _hubs()
    for name, given_text in LANGUAGE.items():
        yield Case(f"x-transformers {name}", "x-transformers", f"{HERE}/others.py:language",
                   ("x:int32[1,12]@0..49",), next(form), tuple(given_text.split()))  # fmt: skip
    yield Case("x-transformers picture", "x-transformers", f"{HERE}/others.py:picture",
               ("x:float32[1,3,32,32]",), next(form))  # fmt: skip
    yield Case("einops patches", "einops", f"{HERE}/others.py:patches", (IMAGE,), next(form))
    yield Case("Lightning segmenter", "Lightning", f"{HERE}/others.py:segmenter", (IMAGE,),
               "Lightning")  # fmt: skip


def _hubs() -> Iterator[Case]:
    """Folders as `save_pretrained` writes them."""
    from tests.breadth.hugging import CONFIGURED

    for name, more in CONFIGURED.items():
        seen = "hidden_sizes" in more or "image_size" in more or name == "ResNetModel"
        text = FED.get(name, PIXELS if seen else TOKENS)
        yield Case(f"transformers {name}", "transformers", f"transformers:{name}.from_pretrained",
                   tuple(text.split()), "Hugging Face folder")  # fmt: skip
    for name, text in DIFFUSED.items():
        yield Case(f"diffusers {name}", "diffusers", f"diffusers:{name}.from_pretrained",
                   tuple(text.split()), "diffusers folder")  # fmt: skip
