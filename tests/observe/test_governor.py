"""Looking costs at most its share, on a clock of our own."""

from tapescope.observe.governor import DEBT, SAVED_UP, SHARE, Governor


def run(seconds, step, cost, eager=0):
    governor, now, looks = Governor(), 0.0, 0
    while now < seconds:
        governor.pass_time(now)
        if governor.allows(cost, eager=looks < eager):
            governor.pay(cost)
            looks += 1
            now += cost
        now += step
    return looks * cost / now, looks


def test_share_is_kept_for_cheap_and_costly_looks():
    for cost in (1e-4, 1e-3, 5e-3, 5e-2):
        share, looks = run(20.0, 3e-4, cost)
        assert share <= SHARE + (SAVED_UP + cost) / 20, cost
        assert looks >= 2


def test_short_loops_are_seen_on_credit():
    _, looks = run(0.05, 3e-4, 5e-3, eager=2)
    assert looks >= 2


def test_debt_is_limited():
    governor = Governor()
    governor.pay(SAVED_UP + DEBT + 1e-3)
    assert not governor.allows(1e-3, eager=True)
    governor.forgive(DEBT)  # a cold look does not blind the views for long
    assert governor.allows(1e-3, eager=True)


def test_time_between_loops_is_not_saved_up():
    governor = Governor()
    governor.pass_time(0.0)
    governor.pay(0.05)
    assert governor.wait(0.001) > 0
    governor.pause()
    governor.pass_time(1000.0)
    assert governor.purse == 0.0  # neither a debt nor a fortune
