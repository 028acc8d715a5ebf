"""`serve`: latency, throughput and memory of a model as an engine serves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from infersim.domain.arguments import as_it_is, checked, one_or_several
from infersim.domain.errors import InfersimError
from infersim.domain.profile import HardwareProfile
from infersim.pruning.composition import a_model_or_plan
from infersim.pruning.plan import Plan
from infersim.simulation.frame_kinds import FrameKind, marks
from infersim.simulation.serving.answers import answered
from infersim.simulation.serving.columns import answer_frame
from infersim.simulation.serving.service import Service, ServiceOptions
from infersim.simulation.speedups.resolving import Gpu, Model, as_plan, as_profiles, profiles

if TYPE_CHECKING:
    import pandas as pd


@checked(
    model_or_plan=one_or_several(a_model_or_plan, called="model or plan"), gpu=profiles, options=as_it_is
)
def serve(
    model_or_plan: Model | Plan | Sequence[Model | Plan],
    gpu: Gpu | Sequence[Gpu],
    **options: Unpack[ServiceOptions],
) -> pd.DataFrame:
    """How a model, dense or pruned, or several, is served: one row for each length and concurrency.

    Columns: `model plan engine gpu gpus calibration kernels dtype kv_dtype prompt output cached concurrency`;
    `running` (requests that run at once; the rest waits), `fits_memory`, `max_concurrency` (the most whole
    requests that the KV cache holds and the engine runs), `max_sequences` (what the engine runs, whatever the
    memory); `ttft_ms` and `tpot_ms`, means with 80 % intervals (`ttft_lower_ms`...), `queue_ms` (of TTFT,
    waiting until others have ended); `tokens_per_s` (written), `tokens_per_s_per_gpu`, `requests_per_s`;
    `step_ms host_ms prefill_ms prefill_share` (a decode step, the host's part of it, reading a prompt, and
    the share of TPOT that reading others' prompts takes); `memory_gib weights_gib activations_gib cache_gib
    kv_blocks` (of each GPU); `price_per_million` (written tokens; NaN without a price); `energy_j_per_token`
    of all boards with its interval, `energy_j_per_request watts energy_calibration`; `runs` (whether the
    engine can run it: `yes`, `needs`, `no`, `unknown`) and `notes`.

    Where a single request does not fit, numbers are NaN and the note says what is missing.

    Parameters
    ----------
    model_or_plan
        A model as in `predict`, or a plan of `prune`; or several of them.
    gpu
        A name (`infersim gpus`), a `.toml`, or a ready profile; or several of them.
    **options
        See `ServiceOptions`.

    Returns
    -------
    DataFrame
        One row for each length and concurrency.

    Raises
    ------
    InfersimError
        Where nothing fits.
    UnknownNameError
        For names that are not known.
    InvalidValueError
        For impossible numbers, or GPUs that do not share the model evenly.
    UnsupportedError
        For a data type that the GPU lacks, or more GPUs than a node has.

    References
    ----------
    .. [1] J. D. C. Little, "A proof for the queuing formula: L = lambda W", Operations Research 9(3), 1961:
       `queue_ms`.
    .. [2] W. Kwon et al., "Efficient memory management for large language model serving with PagedAttention",
       arXiv:2309.06180: `kv_blocks`.
    .. [3] docs/serving.md: the formulas.

    Examples
    --------
    >>> import infersim as sim
    >>> frame = sim.serve("qwen3-8b", "h100-sxm", prompt=1000, output=200, concurrency=[8, 64])
    >>> bool(frame["tokens_per_s"].is_monotonic_increasing)
    True
    """
    several = model_or_plan if isinstance(model_or_plan, tuple) else (model_or_plan,)
    return served_frame([as_plan(each) for each in several], as_profiles(gpu), Service.of(**options))


@marks(FrameKind.SERVE)
def served_frame(plans: Sequence[Plan], gpus: Sequence[HardwareProfile], service: Service) -> pd.DataFrame:
    """The frame of `serve`; raises InfersimError where nothing fits."""
    import pandas as pd

    service.check_room(plans=len(plans), gpus=len(gpus))
    frames = [answer_frame(answered(plan, gpu, service)) for gpu in gpus for plan in plans]
    frame = pd.concat(frames, ignore_index=True)
    if not frame["fits_memory"].any():
        raise InfersimError(f"nothing fits: {frame['notes'].iloc[0]}")
    return frame
