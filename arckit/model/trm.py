"""The Tiny Recursive Model, readable as the paper's pseudo-code (arXiv 2510.04871).

One small network recurses on its own answer: y is the answer so far, z the thought, x the question.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arckit.config import ModelConfig
from arckit.model.layers import Block, Linear, rotary_table, truncated_normal

State = tuple[Tensor, Tensor]
"""(y, z), each (B, L, D)."""


class TinyRecursiveModel(nn.Module):
    """TRM without its embedding rows: those come in as a tensor, and their gradients go out.

    Args:
        config: sizes and depths.
        seed: of the initial weights; the same on every process, so that nothing has to be sent around.
    """

    def __init__(self, config: ModelConfig, seed: int = 0):
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(seed)
        D = config.D
        self.token_embedding = nn.Parameter(truncated_normal((config.vocabulary, D), D**-0.5, generator))
        self.blocks = nn.ModuleList(Block(config, generator) for _ in range(config.layers))
        self.output_head = Linear(D, config.vocabulary, generator)
        self.q_head = Linear(D, 2, generator, bias=True)  # only the first is used; two, as in the reference
        assert self.q_head.bias is not None
        nn.init.zeros_(self.q_head.weight)
        nn.init.constant_(self.q_head.bias, -5.0)
        self.register_buffer("y_start", truncated_normal((D,), 1.0, generator))
        self.register_buffer("z_start", truncated_normal((D,), 1.0, generator))
        cos, sin = rotary_table(config.length, D // config.heads)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def initial_state(self, batch_size: int, cells: int | None = None, dtype: torch.dtype | None = None) -> State:
        """Where y and z begin: two fixed vectors, stored, never trained, the same at every position.

        Args:
            cells: computed cells where that is not the whole canvas.
            dtype: the precision everything is then computed in; float32 unless said otherwise.
        """
        config = self.config
        length = config.length if cells is None else config.prefix + cells
        shape = (batch_size, length, config.D)
        y, z = self.get_buffer("y_start"), self.get_buffer("z_start")
        return y.to(dtype or y.dtype).expand(shape), z.to(dtype or z.dtype).expand(shape)

    def forward(
        self, inputs: Tensor, rows: Tensor, state: State, positions: Tensor | None = None
    ) -> tuple[State, Tensor, Tensor]:
        """One supervision step: think T times about x, then say the answer and how sure one is.

        Args:
            inputs: (B, cells) tokens.
            rows: (B, D_emb) the views' embedding rows.
            state: (y, z), each (B, L, D), L = prefix + cells; its precision is the one computed in.
            positions: (cells,) or (B, cells) each cell's flat index on the full canvas; None is the whole canvas.

        Returns:
            The new (y, z); logits (B, cells, V) and q (B,), the logit of "the answer is right", both float32.
        """
        y, z = state
        x = self.embed(inputs, rows).to(y.dtype)
        y, z = self.deep_recursion(x, y, z, self.rotation(positions))
        logits = self.output_head(y[:, self.config.prefix :])
        q = self.q_head(y[:, 0])[:, 0]
        return (y, z), logits.float(), q.float()

    def deep_recursion(self, x: Tensor, y: Tensor, z: Tensor, rotation: State) -> State:
        """Improve (y, z) T times; gradients flow through the last time only."""
        with torch.no_grad():
            for _ in range(self.config.T - 1):
                y, z = self.latent_recursion(x, y, z, rotation)
        return self.latent_recursion(x, y, z, rotation)

    def latent_recursion(self, x: Tensor, y: Tensor, z: Tensor, rotation: State) -> State:
        """Think n times about the question and the answer so far, then answer once."""
        for _ in range(self.config.n):
            z = self.net(x + y + z, rotation)
        y = self.net(y + z, rotation)  # no x: this is how the one network knows it is answering
        return y, z

    def net(self, h: Tensor, rotation: State) -> Tensor:
        for block in self.blocks:
            h = block(h, rotation)
        return h

    def embed(self, inputs: Tensor, rows: Tensor) -> Tensor:
        """x: the view's row spread over the prefix, then one vector a cell; (B, L, D) float32."""
        config = self.config
        prefix = F.pad(rows, (0, config.prefix * config.D - config.D_emb)).view(-1, config.prefix, config.D)
        cells = F.embedding(inputs.long(), self.token_embedding)
        return config.D**0.5 * torch.cat([prefix, cells], dim=1)

    def rotation(self, positions: Tensor | None) -> State:
        """RoPE's cosines and sines at the prefix and at these cells."""
        cos, sin = self.get_buffer("cos"), self.get_buffer("sin")
        if positions is not None:
            assert self.config.mixing == "attention", "mixing by MLP needs the whole canvas"
            prefix = torch.arange(self.config.prefix, device=positions.device)
            prefix = prefix.expand(*positions.shape[:-1], -1)
            flat = torch.cat([prefix, positions + self.config.prefix], dim=-1)
            cos, sin = cos[flat], sin[flat]
        return cos.unsqueeze(-2), sin.unsqueeze(-2)
