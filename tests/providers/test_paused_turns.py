"""A turn that Anthropic pauses while its own tools run: it is sent back as it is, and goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from instructor import Mode
from instructor.exceptions import IncompleteOutputException
from instructor.testing import answer
from speakers import HELLO, Speaker, block, joined, message, on, speaker, text, thought, use

__all__ = ["speaker"]
pytestmark = on("anthropic")
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
ANN, BOB = {"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srv1",
    "content": [
        {"type": "web_search_result", "title": "é", "url": "u", "encrypted_content": "x" * 99, "page_age": None}
    ],
}


class User(BaseModel):
    name: str
    age: int = 0


def searching(cut: int, *more: Any, said: str = "I will search.", **ended: Any) -> list[dict[str, Any]]:
    search = use(2, {"query": "Ann é"}, "web_search", "server_tool_use", cut, id="srv1")
    blocks = [thought(0), text(1, said, cut), search, block(3, FOUND), *more]
    return message(blocks, "pause_turn", **ended)


def turn(said: list[dict[str, Any]]) -> Any:
    return joined(said)["content"]


@STREAMED
@pytest.mark.parametrize("cut", [1, 7, 500])
async def test_one_value_goes_on(speaker: Speaker, scripted_server: Any, streamed: bool, cut: int) -> None:
    paused, name = searching(cut), "PartialUser" if streamed else "User"
    ended = message([text(0, "Here:", cut), use(1, ANN, name, cut=cut)])
    server = scripted_server([
        speaker.says(each if streamed else joined(each), streamed=streamed) for each in (paused, ended)
    ])  # fmt: skip
    user = await speaker.value(server, User, streamed=streamed)
    assert user == User(**ANN)
    assert server.requests[1].messages == [*HELLO, {"role": "assistant", "content": turn(paused)}]
    assert server.requests[1].body["tools"] == server.requests[0].body["tools"]
    if not streamed:
        assert (user.report.attempts, user.report.continuations) == (2, 1)


@STREAMED
@pytest.mark.parametrize("cut", [1, 7, 500])
async def test_a_text_goes_on_where_it_was(speaker: Speaker, scripted_server: Any, streamed: bool, cut: int) -> None:
    said = json.dumps({"tasks": [ANN, BOB]})
    paused, again = searching(cut, said=said[:30]), searching(cut, said=said[30:38])
    ended = message([text(0, said[38:], cut)], "end_turn")
    server = scripted_server([
        speaker.says(each if streamed else joined(each), streamed=streamed) for each in (paused, again, ended)
    ])  # fmt: skip
    assert await speaker.items(server, User, streamed=streamed, mode=Mode.JSON) == [User(**ANN), User(**BOB)]
    assert [each["content"] for each in server.requests[2].messages[1:]] == [turn(paused), turn(again)]


@STREAMED
async def test_several_texts_and_their_citations_stay_apart(
    speaker: Speaker, scripted_server: Any, streamed: bool
) -> None:
    cited = {"type": "web_search_result_location", "url": "u", "cited_text": "x", "encrypted_index": "e"}
    more = [
        block(4, {"type": "text", "text": "", "citations": []}, {"type": "text_delta", "text": "Ann is one"}),
        text(5, " \n"),
        text(6, "and so on"),
    ]
    paused = searching(3, *more)
    whole = joined(paused)
    if streamed:
        place = next(
            at for at, each in enumerate(paused) if each["type"] == "content_block_stop" and each["index"] == 4
        )
        delta = {"type": "citations_delta", "citation": cited}
        paused.insert(place, {"type": "content_block_delta", "index": 4, "delta": delta})
    whole["content"][4]["citations"] = [cited]
    ended = message([use(0, ANN, "PartialUser" if streamed else "User")])
    server = scripted_server(
        [
            speaker.says(paused if streamed else whole, streamed=streamed),
            speaker.says(ended if streamed else joined(ended), streamed=streamed),
        ]
    )
    assert await speaker.value(server, User, streamed=streamed) == User(**ANN)
    sent = server.requests[1].messages[-1]["content"]
    assert sent == [each for at, each in enumerate(whole["content"]) if at != 5]


@STREAMED
async def test_nothing_that_is_null_goes_back_and_the_container_does(
    speaker: Speaker, scripted_server: Any, streamed: bool
) -> None:
    run = {
        "type": "server_tool_use",
        "id": "srv9",
        "name": "bash_code_execution",
        "input": {"code": "x"},
        "caller": None,
    }
    paused = searching(5, block(4, run), container={"id": "cont_1", "expires_at": "2026-12-01T00:00:00Z"})
    ended = message([use(0, ANN, "PartialUser" if streamed else "User")])
    server = scripted_server([
        speaker.says(each if streamed else joined(each), streamed=streamed) for each in (paused, ended)
    ])  # fmt: skip
    assert await speaker.value(server, User, streamed=streamed) == User(**ANN)
    body = server.requests[1].body
    assert body["container"] == "cont_1"
    assert body["messages"][-1]["content"][-1] == {k: v for k, v in run.items() if v is not None}


@STREAMED
async def test_a_wrong_answer_after_a_pause_is_asked_for_again(
    speaker: Speaker, scripted_server: Any, streamed: bool
) -> None:
    paused, name = searching(7), "PartialUser" if streamed else "User"
    wrong = message([use(0, {"name": 7}, name)])
    server = scripted_server([
        *(speaker.says(each if streamed else joined(each), streamed=streamed) for each in (paused, wrong)),
        answer(ANN),
    ])  # fmt: skip
    assert await speaker.value(server, User, streamed=streamed) == User(**ANN)
    third = server.requests[2].messages
    assert third[1]["content"] == turn(paused)
    assert "$.name" in json.dumps(third[-1])


@STREAMED
async def test_a_pause_costs_an_attempt_or_a_continuation(
    speaker: Speaker, scripted_server: Any, streamed: bool
) -> None:
    paused, whole = searching(7), message([use(0, {"tasks": [ANN]}, "IterableUser")])
    said, ended = (speaker.says(each if streamed else joined(each), streamed=streamed) for each in (paused, whole))
    server = scripted_server([said, ended])
    assert await speaker.items(server, User, streamed=streamed, max_retries=0, max_continuations=1) == [User(**ANN)]
    server = scripted_server([said])
    with pytest.raises(IncompleteOutputException, match="pause_turn"):
        await speaker.items(server, User, streamed=streamed, max_retries=1, max_continuations=0)
    server = scripted_server([said] * 2)
    with pytest.raises(IncompleteOutputException, match="pause_turn"):
        await speaker.value(server, User, streamed=streamed, max_retries=1)


@STREAMED
async def test_a_call_that_is_there_already_is_no_pause(speaker: Speaker, scripted_server: Any, streamed: bool) -> None:
    """A turn with a call of ours in it cannot go back without a result."""
    paused = searching(7, use(4, ANN, "PartialUser" if streamed else "User"))
    server = scripted_server([speaker.says(paused if streamed else joined(paused), streamed=streamed), answer(BOB)])
    assert await speaker.value(server, User, streamed=streamed) in (User(**ANN), User(**BOB))


async def test_the_completion_of_a_paused_stream(speaker: Speaker, scripted_server: Any) -> None:
    server = scripted_server([speaker.says(searching(7), streamed=True)])
    stream = speaker.client(server).create_partial(messages=HELLO, response_model=User, max_retries=0)
    with pytest.raises(IncompleteOutputException) as failed:
        await speaker.harness.items(stream)
    assert failed.value.last_completion.stop_reason == "pause_turn"
    assert stream.report.finish_reason == "pause"
