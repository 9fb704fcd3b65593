"""A run goes on in the server, and is followed from any place in its events."""

from __future__ import annotations

import json
import threading

import pytest
from served import FIELDS, KEY, PEOPLE, of_kind, served

from instructor.testing import Gate, Scripted, answer, content, error, silence
from instructor.testing.replies import Reply

JOHN = {"name": "John", "age": 30}


def people(*values: object, **faults: object) -> Reply:
    return answer({"tasks": list(values)}, **faults)  # type: ignore[arg-type]


def test_items_come_before_the_reply_has_ended() -> None:
    gate = Gate()
    with Scripted([people(*PEOPLE, wait_after=14, gate=gate)]) as server, served(server) as page:
        run = page.start()
        with page.following(run) as events:
            seen = []
            for event in events:
                seen.append(event)
                if event.kind == "item":
                    gate.reached()  # the reply waits here, and its first item is with us
                    assert of_kind(seen, "reply", "state") == []
                    gate.open()
                    break
            rest = list(events)
    assert [item["value"] for item in of_kind(seen + rest, "item")] == PEOPLE
    assert of_kind(rest, "state")[-1]["state"] == "ended"


def test_the_item_that_is_being_written_is_shown_and_has_no_number() -> None:
    gate = Gate()
    with Scripted([people(*PEOPLE, wait_after=9, gate=gate)]) as server, served(server) as page:
        run = page.start()
        gate.reached()
        with page.following(run) as events:
            draft = next(event for event in events if event.kind == "draft" and event.data["value"].get("name"))
            assert draft.number is None
            assert "Jason".startswith(draft.data["value"]["name"])
            gate.open()
            assert [event.data for event in events if event.kind == "draft"][-1] == {"value": None}


def test_events_are_numbered_and_whoever_comes_back_gets_the_rest() -> None:
    with Scripted([people(*PEOPLE)]) as server, served(server) as page:
        run = page.start()
        first = [event for event in page.events(run) if event.number]
        assert [event.number for event in first] == list(range(1, len(first) + 1))
        for after in (0, 1, 5, len(first) - 1, len(first)):
            again = [event for event in page.events(run, after) if event.number]
            assert [(e.number, e.kind, e.data) for e in again] == [(e.number, e.kind, e.data) for e in first[after:]]
        assert [e.number for e in page.events(run, 10**6) if e.number] == []
        assert len(server.requests) == 1  # nobody who looked has paid again


def test_leaving_is_not_stopping() -> None:
    gate = Gate()
    with Scripted([people(*PEOPLE, wait_after=3, gate=gate)]) as server, served(server) as page:
        run = page.start()
        with page.following(run) as events:
            next(events)
        gate.reached()
        gate.open()
        assert [item["value"] for item in of_kind(page.events(run), "item")] == PEOPLE
        assert not server.served[0].client_left
        assert len(server.requests) == 1


def test_the_same_request_sent_again_begins_no_other_run() -> None:
    with Scripted([people(*PEOPLE)]) as server, served(server) as page:
        assert page.start(key="one") == page.start(key="one")
        page.events(page.start(key="one"))
        assert len(server.requests) == 1
        assert len(page.ask("GET", "/runs")[1]) == 1


def test_a_corrected_item_has_both_tries() -> None:
    wrong = {"name": "John", "age": "thirty"}
    with Scripted([people(PEOPLE[0], wrong), people(JOHN)]) as server, served(server) as page:
        events = page.events(page.start())
    (bad,), items = of_kind(events, "wrong"), of_kind(events, "item")
    assert (bad["index"], json.loads(bad["text"]), bad["request"]) == (1, wrong, 1)
    assert "valid integer" in bad["errors"][0]
    assert [(item["index"], item["value"], item["state"], item["request"]) for item in items] == [
        (0, PEOPLE[0], "good", 1), (1, JOHN, "repaired", 2),
    ]  # fmt: skip
    assert [asked["cause"] for asked in of_kind(events, "request")] == ["first", "reask"]
    counts = of_kind(events, "counts")[-1]
    assert (counts["good"], counts["bad"], counts["repaired"], counts["complete"]) == (2, 1, 1, True)


def test_the_reply_is_told_as_it_came() -> None:
    with Scripted([people(*PEOPLE)]) as server, served(server) as page:
        run = page.start()
        text = "".join(piece["text"] for piece in of_kind(page.events(run), "text"))
        status, wire, headers = page.ask("GET", f"/runs/{run}/requests/1/wire")
        assert page.ask("GET", f"/runs/{run}/requests/2/wire")[0] == 404
    assert json.loads(text) == {"tasks": PEOPLE}
    assert (status, headers.get_content_type()) == (200, "text/plain")
    *chunks, last = wire.splitlines()
    assert {json.loads(chunk)["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert last == "[DONE]"


def test_a_small_fault_that_was_mended_is_told() -> None:
    text = '{"tasks": [{"name": "Jason", "age": 10,}, {"name": "John", "age": 30}]}'
    with Scripted([answer(text)]) as server, served(server) as page:
        items = of_kind(page.events(page.start()), "item")
    assert [item["state"] for item in items] == ["mended", "good"]


def test_stop_ends_the_request_at_once_and_go_on_asks_for_the_rest() -> None:
    first = people(*PEOPLE, silence_after=16)
    with Scripted([first, people(JOHN, {"name": "Ann", "age": 50})]) as server, served(server) as page:
        run = page.start()
        with page.following(run) as events:
            seen = [next(event for event in events if event.kind == "item")]
            assert page.ask("POST", f"/runs/{run}/stop", {})[1]["state"] == "stopped"
            assert server.served[0].wait().client_left  # the provider's connection is closed
            seen += [next(event for event in events if event.kind == "state")]
            assert next(event for event in events if event.kind == "counts").data["output_tokens"] > 0
            assert len(server.requests) == 1  # nothing is asked until somebody says so
            assert page.ask("POST", f"/runs/{run}/stop", {})[0] == 200  # twice is as once
            assert page.ask("POST", f"/runs/{run}/continue", {})[1]["state"] == "running"
            seen += list(events)
    assert [item["value"]["name"] for item in of_kind(seen, "item")] == ["Jason", "John", "Ann"]
    assert [state["state"] for state in of_kind(seen, "state")] == ["stopped", "running", "ended"]
    assert [asked["cause"] for asked in of_kind(seen, "request")] == ["continuation"]
    assert "Jason" in json.dumps(server.requests[1].messages)


@pytest.mark.parametrize("reply", [silence(), people(*PEOPLE, silence_after=0), people(*PEOPLE, silence_after=3)])
def test_stop_before_any_item(reply: Reply) -> None:
    script, arrived = [reply, people(*PEOPLE)], threading.Event()

    def next_reply(_asked: object) -> Reply:
        arrived.set()
        return script.pop(0)

    with Scripted(next_reply) as server, served(server) as page:
        run = page.start()
        assert arrived.wait(30)
        page.ask("POST", f"/runs/{run}/stop", {})
        assert server.served[0].wait().client_left
        page.ask("POST", f"/runs/{run}/continue", {})
        assert [item["value"] for item in of_kind(page.events(run), "item")] == PEOPLE
        assert len(server.requests) == 2


def test_a_run_that_has_ended_cannot_be_stopped() -> None:
    with Scripted([people(*PEOPLE)]) as server, served(server) as page:
        run = page.start()
        page.events(run)
        for command in ("stop", "continue"):
            assert page.ask("POST", f"/runs/{run}/{command}", {})[1]["state"] == "ended"
        assert [state["state"] for state in of_kind(page.events(run), "state")] == ["ended"]


def test_a_list_that_is_cut_again_and_again_waits_for_somebody() -> None:
    names = [f"Person {number}" for number in range(6)]
    cut = [people({"name": name, "age": 1}, finish="length") for name in names]
    with Scripted([*cut[:5], people({"name": "Last", "age": 1})]) as server, served(server) as page:
        run = page.start()
        with page.following(run) as events:
            state = next(event for event in events if event.kind == "state")
            assert state.data["state"] == "stopped"
            asked = len(server.requests)
            assert asked == 4  # the first, and three that went on
            page.ask("POST", f"/runs/{run}/continue", {})
            assert of_kind(list(events), "state")[-1]["state"] == "ended"


def test_one_value() -> None:
    replies = [answer({"name": "Jason"}), answer(PEOPLE[0])]
    with Scripted(replies) as server, served(server) as page:
        run = page.start(many=False)
        events = page.events(run)
        assert page.ask("GET", f"/runs/{run}/export.json")[1] == json.dumps(PEOPLE[0], indent=2) + "\n"
    (item,) = of_kind(events, "item")
    assert (item["value"], item["state"]) == (PEOPLE[0], "repaired")
    assert len(of_kind(events, "wrong")) == 1


def test_a_request_that_fails_is_told_and_no_key_is() -> None:
    with Scripted([error(401, f"Incorrect API key provided: {KEY}.")]) as server, served(server) as page:
        run = page.start()
        events = page.events(run)
        state = of_kind(events, "state")[-1]
        assert state["state"] == "failed"
        assert "401" in state["error"]
        assert of_kind(events, "reply")[0]["error"].startswith("AuthenticationError")
        assert page.ask("GET", f"/runs/{run}")[1]["error"] == state["error"]
        told = repr(events) + repr(page.ask("GET", "/runs")) + repr(page.ask("GET", "/session"))
    assert KEY not in told
    assert KEY[3:] not in told


def test_what_was_sent_is_a_command_with_a_variable_for_the_key() -> None:
    with Scripted([people(*PEOPLE)]) as server, served(server) as page:
        run = page.start("It's Jason's; $HOME `id` \"10\" \\ 😀")
        events = page.events(run)
        (asked,), (sent,) = of_kind(events, "request"), of_kind(events, "sent")
        assert asked["body"]["messages"] == server.requests[0].messages
        assert f"curl {server.base_url}/chat/completions" in sent["curl"]
        assert '-H "authorization: Bearer $OPENAI_API_KEY"' in sent["curl"]
        assert KEY not in repr(events)


def test_another_wire() -> None:
    wrong = {"name": "John", "age": "thirty"}
    replies = [people(PEOPLE[0], wrong), people(JOHN)]
    with Scripted(replies) as server, served(server, model="anthropic/scripted") as page:
        events = page.events(page.start())
    assert [item["value"] for item in of_kind(events, "item")] == PEOPLE
    assert json.loads("".join(each["text"] for each in of_kind(events, "text") if each["request"] == 1)) == {
        "tasks": [PEOPLE[0], wrong]
    }
    curl = of_kind(events, "sent")[0]["curl"]
    assert '$ANTHROPIC_API_KEY"' in curl
    assert "-H 'anthropic-version: " in curl
    assert KEY not in repr(events)
    assert {event.data["value"]["name"] for event in events if event.kind == "draft" and event.data["value"]} <= {
        "",
        *(name[:at] for name in ("Jason", "John") for at in range(1, 6)),
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": 3}, "text"), ({"text": "  "}, "text"), ({"schema": "name"}, "schema"),
        ({"schema": {"kind": "fields", "text": "name strr"}}, "strr"), ({"many": 1}, "many"),
        ({"schema": {"kind": "json", "text": "{"}}, "JSON"), ({"schema": {"kind": "class", "text": "A"}}, "'A'"),
        ({"schema": {"kind": "json", "text": "[1]"}}, "object"), ({"schema": {"kind": "xml", "text": ""}}, "'xml'"),
        ({"model": "opnai/gpt"}, "openai"), ({"key": 1}, "key"), ({"instruction": []}, "instruction"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_any_request(body: dict[str, object], field: str) -> None:
    with Scripted([]) as server, served(server) as page:
        status, told, _ = page.ask("POST", "/runs", {"text": "Jason", "schema": FIELDS, **body})
        assert status == 400
        assert field in told["error"]
        assert page.ask("GET", "/runs")[1] == []


def test_a_json_schema_and_an_instruction() -> None:
    schema = {"kind": "json", "text": json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}})}
    with Scripted([people({"n": 2**70})]) as server, served(server) as page:
        run = page.start("n is large", schema=schema, instruction="Find n.")
        events = page.events(run)
        assert server.requests[0].messages[0] == {"role": "system", "content": "Find n."}
        assert of_kind(events, "item")[0]["value"] == {"n": str(2**70)}  # a browser would round it
        assert json.loads(page.ask("GET", f"/runs/{run}/export.json")[1]) == [{"n": 2**70}]


def test_only_so_many_runs_are_open_at_once_and_stopping_one_makes_room() -> None:
    with Scripted([silence()] * 10) as server, served(server) as page:
        runs = [page.start() for _ in range(8)]
        status, told, _ = page.ask("POST", "/runs", {"text": "Jason", "schema": FIELDS})
        assert (status, "Stop one" in told["error"]) == (429, True)
        page.ask("POST", f"/runs/{runs[0]}/stop", {})
        page.start()
        assert len(page.ask("GET", "/runs")[1]) == 9


def test_an_unknown_run_is_not_found() -> None:
    with Scripted([]) as server, served(server) as page:
        for method, path in [
            ("GET", "/runs/x"), ("GET", "/runs/x/events"), ("POST", "/runs/x/stop"), ("GET", "/runs/x/export.json"),
        ]:  # fmt: skip
            assert page.ask(method, path, {} if method == "POST" else None)[0] == 404


def test_prose_is_a_problem_and_is_asked_again() -> None:
    with Scripted([content("There is nobody."), people(*PEOPLE)]) as server, served(server) as page:
        events = page.events(page.start())
    assert of_kind(events, "problem")[0]["request"] == 1
    assert [item["value"] for item in of_kind(events, "item")] == PEOPLE


def test_the_servers_end_ends_a_run_that_waits() -> None:
    script, arrived = [people(*PEOPLE, silence_after=16), silence()], threading.Semaphore(0)

    def next_reply(_asked: object) -> Reply:
        arrived.release()
        return script.pop(0)

    with Scripted(next_reply) as server:
        with served(server) as page:
            stopped = page.start()
            with page.following(stopped) as events:
                next(event for event in events if event.kind == "item")
            page.ask("POST", f"/runs/{stopped}/stop", {})
            page.start()
            assert arrived.acquire(timeout=30)
            assert arrived.acquire(timeout=30)
        assert server.served[1].wait().client_left
