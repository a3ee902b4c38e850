"""An episode's states: what an operator, and the file, can rely on."""

from hypothesis import given, settings
from hypothesis import strategies as st

from apprentice.record.machine import TRANSITIONS, Signal, State, after
from apprentice.teleop.frame import Command

relaxed = settings(max_examples=50)

signals = st.lists(st.sampled_from(list(Signal)), max_size=40)


def walk(script):
    states = [State.READY]
    for signal in script:
        states.append(after(states[-1], signal))
    return states


def test_every_state_can_be_reached_and_left():
    reachable, grown = {State.READY}, True
    while grown:
        more = {to for state in reachable for to in TRANSITIONS[state].values()} - reachable
        reachable, grown = reachable | more, bool(more)
    assert reachable == set(State) == set(TRANSITIONS)
    assert all(set(ways.values()) - {state} for state, ways in TRANSITIONS.items())


@relaxed
@given(signals)
def test_what_was_saved_or_discarded_stays_so_until_the_next_episode(script):
    states = walk(script)
    for state, signal, then in zip(states[:-1], script, states[1:], strict=True):
        if state in (State.SAVED, State.DISCARDED):
            assert then is (State.READY if signal is Signal.NEXT else state)


@relaxed
@given(signals)
def test_nothing_is_recorded_before_the_operator_starts(script):
    states = walk([signal for signal in script if signal is not Signal.START])
    assert set(states) == {State.READY}


def test_a_lost_device_always_ends_motion():
    assert all(after(state, Signal.LOST) is not State.RECORDING for state in State)


@relaxed
@given(signals)
def test_a_pause_is_left_only_by_the_operator(script):
    state = State.PAUSED
    for signal in script:
        if signal not in (Signal.START, Signal.REWIND, Signal.SAVE, Signal.DISCARD):
            state = after(state, signal)
    assert state is State.PAUSED


def test_success_that_holds_saves_and_time_running_out_discards():
    recording = walk([Signal.START, Signal.COUNTED])[-1]
    assert recording is State.RECORDING
    assert after(recording, Signal.HELD) is State.SAVED
    assert after(recording, Signal.TIMEOUT) is State.DISCARDED
    assert after(recording, Signal.DIVERGED) is State.DISCARDED


def test_operators_commands_are_signals_of_the_same_name():
    others = {"stop", "toggle", "undo", "mark"}  # what they mean depends on more than the state
    assert {command.value for command in Command} - {signal.value for signal in Signal} == others
