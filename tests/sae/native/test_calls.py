"""Whatever is handed to the C code, it raises an error or computes; it never follows a wrong address."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sklearn_sae.sae.native import _calls

pytestmark = pytest.mark.skipif(_calls.compiled is None, reason="installed without a C compiler")

ROWS, NEURONS, FEATURES, ACTIVE = 6, 20, 5, 18


def sparse_rows(generator):
    """Return the neurons and the rows of 18 entries, and where each of six rows starts."""
    neurons = torch.randint(NEURONS, (ACTIVE,), generator=generator)
    starts = torch.arange(0, ACTIVE + 1, ACTIVE // ROWS)
    return neurons, torch.arange(ACTIVE) // (ACTIVE // ROWS), starts


def arguments(call):
    """Return arguments that the call takes, in order; the tensors are fresh."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    neurons, rows, starts = sparse_rows(generator)
    if call == "topk":
        return [normal(ROWS, NEURONS), 3]
    if call == "round_rows":
        return [normal(ROWS, FEATURES)]
    if call == "refined_topk":
        x, weight, offset = normal(ROWS, FEATURES), normal(NEURONS, FEATURES), normal(NEURONS)
        coarse_x, *of_x = _calls.round_rows(x)
        coarse_weight, *of_weight = _calls.round_rows(weight)
        coarse_offset = offset.bfloat16()
        return [coarse_x @ coarse_weight.T + coarse_offset, (x, *of_x), (weight, *of_weight), offset, coarse_offset, 3]
    if call == "take_rows":
        return [normal(NEURONS, FEATURES), torch.randint(NEURONS, (ROWS,), generator=generator), normal(FEATURES), 0.5]
    if call == "residuals":
        return [normal(ACTIVE).abs(), neurons, starts, normal(NEURONS, FEATURES), normal(ROWS, FEATURES)]
    if call == "sort_by_neuron":
        return [neurons, NEURONS]
    order, starts = _calls.sort_by_neuron(neurons, NEURONS)
    parameters = [tuple(normal(NEURONS, FEATURES).abs() for _ in range(3)) for _ in range(2)]
    given = [order, starts, rows, normal(ACTIVE).abs(), normal(ROWS, FEATURES), normal(ROWS, FEATURES)]
    return [*given, *parameters, (0.01, 1.0, 0.9, 0.999, 1e-8)]


CALLS = ("topk", "round_rows", "refined_topk", "take_rows", "residuals", "sort_by_neuron", "adam_step")
ERRORS = (AttributeError, IndexError, RuntimeError, TypeError, ValueError)  # RuntimeError is torch's


def places(values, path=()):
    """Yield where the tensors are among arguments."""
    for i, value in enumerate(values):
        if isinstance(value, torch.Tensor):
            yield (*path, i)
        elif isinstance(value, tuple):
            yield from places(value, (*path, i))


def put(values, place, make):
    """Return the arguments with the tensor at a place replaced by what `make` makes of it."""
    first, *rest = place
    return [
        (tuple(put(value, rest, make)) if rest else make(value)) if i == first else value
        for i, value in enumerate(values)
    ]


def strided(tensor):
    return torch.stack([tensor, tensor], dim=-1)[..., 0]


def read_only(tensor):
    array = np.array(tensor.float().numpy())
    array.flags.writeable = False
    return array


def without_memory(tensor):
    tensor = tensor.clone()
    tensor.untyped_storage().resize_(0)
    return tensor


ALWAYS_WRONG = {
    "of another dtype": lambda t: t.to(torch.int32 if t.dtype == torch.int64 else torch.float64),
    "of half the size": lambda t: t.to(torch.int16 if t.dtype == torch.int64 else torch.float16),
    "strided": strided,
    "transposed": lambda t: t.unsqueeze(-1).mT,
    "expanded": lambda t: t[:1].expand(t.shape),
    "backward in memory": lambda t: t.movedim(0, -1).contiguous().movedim(-1, 0) if t.ndim > 1 else strided(t),
    "on no device": lambda t: t.to("meta"),
    "sparse": lambda t: t.to_sparse(),
    "without memory": without_memory,
    "an array": lambda t: t.float().numpy(),
    "a read-only array": read_only,
    "a list": lambda t: t.tolist(),
    "a number": lambda t: 1,
    "none": lambda t: None,
    "of no axis": lambda t: t.flatten()[0],
    "of one axis more": lambda t: t[None],
}
if torch.cuda.is_available():
    ALWAYS_WRONG["on a GPU"] = lambda t: t.cuda()


@pytest.mark.parametrize("call", CALLS)
def test_right_arguments_are_taken(call):
    getattr(_calls, call)(*arguments(call))


@pytest.mark.parametrize("how", ALWAYS_WRONG)
@pytest.mark.parametrize("call", CALLS)
def test_each_tensor_that_is_not_as_c_takes_it_raises(call, how):
    for place in places(arguments(call)):
        right = arguments(call)
        if call == "adam_step" and place[0] == 6 and how == "none":
            continue  # that the encoder's weight is none is said of all three
        before = [t.clone() for group in right[6:8] for t in group] if call == "adam_step" else []
        with pytest.raises(ERRORS):
            getattr(_calls, call)(*put(right, place, ALWAYS_WRONG[how]))
        after = [t for group in right[6:8] for t in group] if call == "adam_step" else []
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@settings(max_examples=300, deadline=None)
@given(call=st.sampled_from(CALLS), data=st.data())
def test_tensors_of_other_shapes_raise_or_are_taken_whole(call, data):
    """Some arguments set the sizes, such that a shorter one may fit; no size may lead outside of an array."""
    right = arguments(call)
    place = data.draw(st.sampled_from(list(places(right))))

    def resized(tensor):
        shape = data.draw(st.tuples(*(st.integers(0, size + 2) for size in tensor.shape)))
        assume(shape != tuple(tensor.shape))
        other = torch.zeros(shape, dtype=tensor.dtype)
        both = tuple(slice(min(a, b)) for a, b in zip(shape, tensor.shape, strict=True))
        other[both] = tensor[both]
        return other

    wrong = put(right, place, resized)
    sets_sizes = {"topk": [(0,)], "round_rows": [(0,)], "take_rows": [(0,), (1,)], "sort_by_neuron": [(0,)]}
    sets_sizes |= {"residuals": [(3,)], "adam_step": [(4,), (5,)]}
    try:
        getattr(_calls, call)(*wrong)
    except ERRORS:
        return
    assert place in sets_sizes.get(call, [])


INDICES = {"take_rows": [1], "residuals": [1, 2], "sort_by_neuron": [0], "adam_step": [0, 1, 2]}


@settings(max_examples=200, deadline=None)
@given(
    call=st.sampled_from(sorted(INDICES)),
    data=st.data(),
    value=st.one_of(st.integers(-(2**63), -1), st.integers(NEURONS, 2**63 - 1)),
)
def test_indices_out_of_range_raise(call, data, value):
    right = arguments(call)
    argument = data.draw(st.sampled_from(INDICES[call]))
    place = data.draw(st.integers(0, len(right[argument]) - 1))
    right[argument][place] = value
    with pytest.raises(IndexError):
        getattr(_calls, call)(*right)


@pytest.mark.parametrize("k", [-1, 0, NEURONS + 1, 2**40])
def test_more_entries_than_there_are_raise(k):
    for call in ("topk", "refined_topk"):
        with pytest.raises(ValueError, match="is not from 1 to 20"):
            getattr(_calls, call)(*arguments(call)[:-1], k)


@pytest.mark.parametrize("n_neurons", [-2, -1, 0, 5])
def test_fewer_neurons_than_the_entries_name_raise(n_neurons):
    with pytest.raises((IndexError, ValueError)):
        _calls.sort_by_neuron(torch.full((3,), 7), n_neurons)
    if n_neurons < 0:
        with pytest.raises(ValueError, match="negative"):
            _calls.sort_by_neuron(torch.empty(0, dtype=torch.int64), n_neurons)


def test_the_message_says_what_is_needed_and_what_came():
    with pytest.raises(
        ValueError, match=r"needs torch.float32 of shape \(6, 20\).*got torch.float64 of shape \(6, 20\)"
    ):
        _calls.topk(arguments("topk")[0].double(), 3)
    with pytest.raises(TypeError, match="works on tensors; got a ndarray"):
        _calls.topk(arguments("topk")[0].numpy(), 3)
