"""Cross modality excitation: each modality scales the other's channels, word by word
(FG-CME section 3.3).
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

Excitation = Literal["paper", "residual", "additive"]


class CrossModalityExcitation(nn.Module):
    """Gates E^a = sigmoid(W^a Z^s) and E^s = sigmoid(W^s Z^a), applied to the words of
    the other modality.

    form "paper": Z' = E * Z, as printed. "residual": Z' = E * Z + Z, and E^a is looked
    up by word id instead of computed from Z^s, as the authors' released code has it.
    "additive": Z' = Z + E without sigmoid, E^a looked up. W are projections without
    bias, as printed; `released` gives them one and looks E^a up in every form.
    """

    def __init__(
        self,
        acoustic_size: int,
        semantic_size: int,
        *,
        acoustic: bool = True,
        semantic: bool = True,
        form: Excitation = "paper",
        released: bool = False,
        vocabulary_size: int = 0,
    ) -> None:
        super().__init__()
        if form not in get_args(Excitation):
            raise ValueError(
                f"unknown excitation {form!r}, expected one of {list(get_args(Excitation))}"
            )
        self.by_word = released or form != "paper"
        if self.by_word and acoustic and vocabulary_size < 1:
            raise ValueError(
                f"excitation {form!r} looks up one gate per word, but vocabulary_size is "
                f"{vocabulary_size}: expected a text embedding with a vocabulary (static or fitted)"
            )
        self.form = form
        self.acoustic_size, self.semantic_size = acoustic_size, semantic_size
        self.acoustic_gate: nn.Module | None = None
        self.semantic_gate: nn.Module | None = None
        if acoustic and self.by_word:
            self.acoustic_gate = nn.Embedding(vocabulary_size, acoustic_size)
        elif acoustic:
            self.acoustic_gate = nn.Linear(semantic_size, acoustic_size, bias=False)
        if semantic:
            self.semantic_gate = nn.Linear(acoustic_size, semantic_size, bias=released)

    def forward(
        self, acoustic: Tensor, semantic: Tensor, word_ids: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Z^a: Tensor[B, W, q] and Z^s: Tensor[B, W, t], same shapes out; word_ids:
        Tensor[B, W] where E^a is looked up.
        """
        gates = self.gates(acoustic, semantic, word_ids)
        if "acoustic" in gates:
            acoustic = self._excite(acoustic, gates["acoustic"])
        if "semantic" in gates:
            semantic = self._excite(semantic, gates["semantic"])
        return acoustic, semantic

    def gates(
        self, acoustic: Tensor, semantic: Tensor, word_ids: Tensor | None
    ) -> dict[str, Tensor]:
        """E^a as 'acoustic', Tensor[B, W, q], and E^s as 'semantic', Tensor[B, W, t],
        those that there are; arguments as of `forward`.
        """
        found = {}
        if self.acoustic_gate is not None:
            key = word_ids if self.by_word else semantic
            if key is None:
                raise ValueError(
                    "the batch has no word ids, expected a text embedding with a vocabulary"
                )
            found["acoustic"] = self.acoustic_gate(key)
        if self.semantic_gate is not None:
            found["semantic"] = self.semantic_gate(acoustic)
        if self.form == "additive":
            return found
        return {name: torch.sigmoid(gate) for name, gate in found.items()}

    def _excite(self, values: Tensor, gate: Tensor) -> Tensor:
        if self.form == "additive":
            return values + gate
        excited = gate * values
        return excited if self.form == "paper" else excited + values
