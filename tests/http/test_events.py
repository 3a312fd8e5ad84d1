"""Event streams: replay, order, heartbeat, end, and a limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from starlette.requests import Request

from gamelake.http.events import Event, Pace, Streams, replay_after, stream_response
from gamelake.http.problems import HttpError

QUICK = Pace(poll=0.005, heartbeat=0.02)


class Story:
    """Events that grow while somebody reads."""

    def __init__(self, count):
        self.events = [Event(number, "", {"n": number}) for number in range(1, count + 1)]

    def fetch(self, after):
        return [event for event in self.events if event.id > after][:3]


def read(response, *, until=None, seconds=2.0, then=None):
    """The stream's text up to a mark, or to its end."""

    async def run():
        text = ""
        with anyio.move_on_after(seconds):
            async for chunk in response.body_iterator:
                text += chunk
                if then:
                    then(text)
                if until and until in text:
                    break
            await response.body_iterator.aclose()
        return text

    # in a thread of its own: a browser test in the same process keeps a loop open in this one
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(anyio.run, run).result()


def ids(text):
    return [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]


def request(**headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": pairs})


def test_a_stream_replays_everything_in_order_and_ends():
    response = stream_response(Story(8).fetch, 0, streams=Streams(1), ended=lambda: True, pace=QUICK)

    text = read(response)

    assert text.startswith("retry: 1000\n\n")
    assert ids(text) == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert text.endswith("event: end\ndata: {}\n\n")


def test_a_stream_continues_after_what_was_seen():
    response = stream_response(Story(8).fetch, 6, streams=Streams(1), ended=lambda: True, pace=QUICK)

    assert ids(read(response)) == [7, 8, 8]


def test_events_that_come_later_are_told_once():
    story = Story(1)

    def more(text):
        if "id: 1\n" in text and len(story.events) == 1:
            story.events.append(Event(2, "", {}))

    response = stream_response(story.fetch, 0, streams=Streams(1), pace=QUICK)
    text = read(response, until="id: 2\n", then=more)

    assert ids(text) == [1, 2]


def test_a_quiet_stream_shows_that_it_lives():
    response = stream_response(Story(0).fetch, 0, streams=Streams(1), pace=QUICK)

    assert ": still here\n\n" in read(response, until="still here")


def test_an_event_of_the_last_moment_is_not_lost():
    story = Story(0)

    def ended():
        if not story.events:
            story.events.append(Event(1, "", {}))
        return True

    response = stream_response(story.fetch, 0, streams=Streams(1), ended=ended, pace=QUICK)

    assert ids(read(response)) == [1, 1]


def test_past_the_limit_a_stream_is_refused_and_a_closed_one_gives_its_place_back():
    streams = Streams(1)
    seen = []
    response = stream_response(Story(1).fetch, 0, streams=streams, ended=lambda: True, pace=QUICK)

    read(response, then=lambda _: seen.append(streams.open))

    assert max(seen) == 1
    assert streams.open == 0
    streams.open = 1
    with pytest.raises(HttpError) as refused:
        stream_response(Story(1).fetch, 0, streams=streams)
    assert "`max_streams` = 1" in refused.value.problem.detail


def test_a_closing_server_ends_its_streams():
    streams = Streams(1)
    streams.closing = True

    assert ids(read(stream_response(Story(5).fetch, 0, streams=streams, pace=QUICK))) == []


def test_a_sequence_larger_than_the_ledger_counts_is_refused_before_the_stream():
    with pytest.raises(HttpError) as refused:
        replay_after(request(), 10**20, 0)

    assert refused.value.problem.status == 422


def test_what_the_browser_saw_last_comes_before_what_was_asked_for():
    assert replay_after(request(last_event_id="41"), 7, 0) == 41
    assert replay_after(request(), 7, 0) == 7
    assert replay_after(request(), None, 3) == 3


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "²", str(10**20), "9" * 5000])
def test_a_strange_last_event_id_is_refused(value):
    with pytest.raises(HttpError) as refused:
        replay_after(
            Request({"type": "http", "headers": [(b"last-event-id", value.encode("latin-1"))]}), None, 0
        )

    assert refused.value.problem.status == 422
