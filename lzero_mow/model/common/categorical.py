"""The latent z, a vector of independent categorical variables, from its logits (..., categories, classes)."""
import torch
import torch.nn.functional as F
from torch import Tensor


def unimix(logits: Tensor, share: float) -> Tensor:
    """Log-probabilities of (1 - share) softmax + share uniform (STORM section 3.1)."""
    probs = F.softmax(logits.float(), dim=-1)
    return torch.log((1 - share) * probs + share / logits.shape[-1])


def sample_straight_through(log_probs: Tensor) -> Tensor:
    """One-hot samples, flattened to (..., categories * classes), whose gradient is that of the probabilities."""
    probs = log_probs.exp()
    # Gumbel-max would need a logarithm per class; the inverse CDF needs one uniform number per variable.
    threshold = torch.rand(*probs.shape[:-1], 1, device=probs.device)
    index = (probs.cumsum(-1) < threshold).sum(-1, keepdim=True).clamp(max=probs.shape[-1] - 1)
    one_hot = torch.zeros_like(probs).scatter_(-1, index, 1.0)
    if torch.is_grad_enabled():
        one_hot = one_hot + probs - probs.detach()
    return one_hot.flatten(-2)


def kl_divergence(p_log_probs: Tensor, q_log_probs: Tensor) -> Tensor:
    """KL[p || q] in nats, summed over variables: (..., categories, classes) -> (...)."""
    return (p_log_probs.exp() * (p_log_probs - q_log_probs)).sum((-2, -1))
