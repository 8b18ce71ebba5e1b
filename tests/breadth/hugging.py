"""Networks of transformers and diffusers in small configurations, by the classes' names."""

from __future__ import annotations

from typing import Any

import tests.breadth.vision  # noqa: F401  # before what imports torchvision

SMALL = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 40,
}  # fmt: skip
PICTURES = {**SMALL, "image_size": 32, "patch_size": 8, "num_channels": 3}
GPT = {"vocab_size": 60, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40}
T5 = {"vocab_size": 60, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
LLAMA = {**SMALL, "num_key_value_heads": 2, "use_cache": False}
CONFIGURED: dict[str, dict[str, Any]] = {
    "BertModel": SMALL, "BertForMaskedLM": SMALL, "DistilBertModel": {
        "vocab_size": 60, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
    "RobertaForSequenceClassification": {**SMALL, "num_labels": 3},
    "ElectraModel": {**SMALL, "embedding_size": 32}, "AlbertModel": {**SMALL, "embedding_size": 16},
    "DebertaV2Model": {**SMALL, "relative_attention": True, "pos_att_type": ["p2c", "c2p"],
                       "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    "MPNetModel": SMALL, "GPT2LMHeadModel": {**GPT, "use_cache": False},
    "T5EncoderModel": T5, "ViTForImageClassification": {**PICTURES, "num_labels": 4},
    "DeiTModel": PICTURES, "BeitModel": PICTURES, "Dinov2Model": PICTURES,
    "LlamaForCausalLM": LLAMA, "MistralForCausalLM": LLAMA, "Qwen2ForCausalLM": LLAMA,
    "CLIPVisionModel": PICTURES, "CLIPTextModel": {**SMALL, "eos_token_id": 2},
    "ConvNextModel": {"hidden_sizes": [8, 16, 16, 24], "depths": [1, 1, 1, 1]},
    "ResNetModel": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
    "SegformerForSemanticSegmentation": {
        "hidden_sizes": [8, 16, 16, 24], "depths": [1, 1, 1, 1], "decoder_hidden_size": 16,
        "num_attention_heads": [1, 2, 2, 4], "num_labels": 3},
    "SwinModel": {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [1, 1],
                  "num_heads": [2, 2], "window_size": 4},
    "MobileViTModel": {"image_size": 64, "hidden_sizes": [16, 24, 32],
                       "neck_hidden_sizes": [8, 8, 16, 16, 24, 32, 40]},
    "WhisperModel": {"vocab_size": 60, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1,
                     "encoder_attention_heads": 4, "decoder_attention_heads": 4,
                     "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "num_mel_bins": 8,
                     "max_source_positions": 16, "max_target_positions": 20, "use_cache": False,
                     "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
                     "decoder_start_token_id": 1},
    "Wav2Vec2Model": {**SMALL, "conv_dim": [8, 8], "conv_kernel": [10, 3], "conv_stride": [5, 2],
                      "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
                      "num_feat_extract_layers": 2},
}  # fmt: skip


def transformer(name: str) -> Any:
    """A network of transformers."""
    import transformers

    kind = getattr(transformers, name)
    return kind(kind.config_class(**CONFIGURED[name]))


BLOCKS = {"block_out_channels": [8, 16], "norm_num_groups": 4}
DIFFUSERS: dict[str, dict[str, Any]] = {
    "UNet2DModel": {
        **BLOCKS, "sample_size": 16, "in_channels": 3, "out_channels": 3, "layers_per_block": 1,
        "attention_head_dim": 8, "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]},
    "UNet2DConditionModel": {
        **BLOCKS, "sample_size": 8, "layers_per_block": 1, "cross_attention_dim": 16,
        "attention_head_dim": 4, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"]},
    "AutoencoderKL": {**BLOCKS, "down_block_types": ["DownEncoderBlock2D"] * 2,
                      "up_block_types": ["UpDecoderBlock2D"] * 2, "latent_channels": 4},
    "VQModel": {**BLOCKS, "down_block_types": ["DownEncoderBlock2D"] * 2,
                "up_block_types": ["UpDecoderBlock2D"] * 2, "num_vq_embeddings": 16},
    "DiTTransformer2DModel": {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1,
                              "sample_size": 8, "num_embeds_ada_norm": 10, "in_channels": 4,
                              "norm_num_groups": 4},
    "AutoencoderTiny": {"encoder_block_out_channels": [8, 8], "decoder_block_out_channels": [8, 8],
                        "num_encoder_blocks": [1, 1], "num_decoder_blocks": [1, 1]},
    "PriorTransformer": {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1,
                         "embedding_dim": 16, "num_embeddings": 4, "additional_embeddings": 4},
    "ControlNetModel": {"block_out_channels": [8, 16], "norm_num_groups": 4,
                        "layers_per_block": 1, "cross_attention_dim": 16, "attention_head_dim": 4,
                        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
                        "conditioning_embedding_out_channels": [8, 16]},
}  # fmt: skip


def diffuser(name: str) -> Any:
    """A network of diffusers."""
    import diffusers

    return getattr(diffusers, name)(**DIFFUSERS[name])
