"""The simulated schedule keeps to what can be worked out by hand."""

import pytest

pytest.importorskip("simpy", reason="needs simpy, of the extra test")

from benchmarks import _simulation
from benchmarks._simulation import (
    CODE_BYTES,
    EMBEDDING_BYTES,
    TEXT_BYTES,
    Plan,
    Prices,
    Rates,
    cost,
    simulate,
    tables,
)

NEVER = {"hours_between_losses": 1e12}


def seconds_of_work(plan, rates):
    """Return the seconds that one GPU works, and that the disk does."""
    n_trained = min(plan.n_texts, plan.n_trained)
    gpu = plan.n_texts / rates.embedded + plan.n_texts / rates.encoded + plan.epochs * n_trained / rates.trained
    n_bytes = plan.n_texts * (TEXT_BYTES + 2 * EMBEDDING_BYTES + CODE_BYTES) + n_trained * EMBEDDING_BYTES
    return gpu, n_bytes / plan.disk_bytes


def test_one_gpu_takes_the_sum_of_its_work():
    plan, rates = Plan(3_000_000, 1, n_held_out=0, n_labelled=1, **NEVER), Rates()
    gpu, disk = seconds_of_work(plan, rates)
    outcome = simulate(plan, rates)
    assert outcome.gpu_hours == pytest.approx(gpu / 3600)
    assert outcome.hours == pytest.approx((gpu + disk) / 3600)  # it waits for the disk, which nobody else uses
    assert outcome.busy["disk"] == pytest.approx(disk / (gpu + disk))
    assert outcome.n_lost == 0


@pytest.mark.parametrize("n_gpus", [2, 8, 64])
def test_more_gpus_do_the_same_work_in_no_more_time(n_gpus):
    one, more = (simulate(Plan(20_000_000, n, **NEVER), Rates()) for n in (1, n_gpus))
    assert more.gpu_hours == pytest.approx(one.gpu_hours)
    assert one.hours / n_gpus <= more.hours <= one.hours


def test_a_slow_disk_is_what_limits():
    plan = Plan(20_000_000, 64, disk_bytes=1e7, **NEVER)
    outcome = simulate(plan, Rates())
    assert max(outcome.busy, key=outcome.busy.get) == "disk"
    assert outcome.hours * 3600 >= seconds_of_work(plan, Rates())[1] * (1 - 1e-9)


def test_lost_gpus_cost_time_and_work():
    calm = simulate(Plan(20_000_000, 4, **NEVER), Rates())
    rough = simulate(Plan(20_000_000, 4, hours_between_losses=0.2), Rates())
    assert rough.n_lost > 0
    assert rough.gpu_hours > calm.gpu_hours
    assert rough.hours > calm.hours
    assert rough == simulate(Plan(20_000_000, 4, hours_between_losses=0.2), Rates())  # the same seed


def test_dollars_are_of_what_was_held_and_asked():
    plan = Plan(1_000_000, 4, n_held_out=1000)
    dollars = cost(plan, simulate(plan, Rates()), Prices(gpu_hour=2, tokens_in=0, tokens_out=1e-6))
    assert dollars["GPUs"] == pytest.approx(2 * 4 * simulate(plan, Rates()).hours)
    assert dollars["language model"] == pytest.approx(1000 * 110 * 1e-6)


def test_each_table_has_rows_of_the_same_columns(monkeypatch):
    monkeypatch.setattr(_simulation, "SIZES", (10**6, 10**8))
    for _, rows, note in tables(n_seeds=1):
        rows = list(rows)
        assert len({tuple(row) for row in rows}) == 1
        assert note
