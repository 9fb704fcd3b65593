"""The page of `instructor play` in a real browser, on scripted streams and on the embedded model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from pydantic import BaseModel

import instructor
from instructor.bulk import Limits
from instructor.testing import Gate, Recorder, Scripted, answer, error
from instructor.testing.replies import Reply
from instructor.web.app import PageServer, Session
from instructor.web.recordings import Recording

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest_plugins = ["chromium"]

TEXT = "😀😀 Jason is 10, 👩‍👩‍👧 John is 30,\r\nand Zoë, née Ångström, is 50."
PEOPLE = [{"name": "Jason", "age": 10}, {"name": "John", "age": 30}, {"name": "Zoë", "age": 50}]
INJECT = "document.title='injected'"
HOSTILE = f"</script></textarea><img src=x onerror={INJECT}>&lt;b&gt;\"'<svg/onload={INJECT}>"
Play = Callable[..., str]


class Person(BaseModel):
    name: str
    age: int


def people(*values: object, **faults: Any) -> Reply:
    return answer({"tasks": list(values)}, **faults)


@pytest.fixture
def play() -> Iterator[Play]:
    """Return a function that serves the page for a provider and returns its address."""
    with ExitStack() as servers:

        def start(provider: Scripted | None, text: str = TEXT, **session: Any) -> str:
            options = {"base_url": provider.base_url, "api_key": "sk-fake", "max_retries": 0} if provider else {}
            model = "openai/scripted" if provider else "local"
            made = Session(model=model, text=text, options=options, **session)
            return servers.enter_context(PageServer(made)).root

        yield start


def run(page: Page, address: str, schema: str = "name, age int") -> None:
    page.goto(address)
    page.get_by_role("textbox", name="Schema").fill(schema)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/*#run=*")


def ended(page: Page) -> None:
    page.locator("#counters .ended").wait_for()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.locator("tr.open").count() == 0


def rows(page: Page) -> list[str]:
    return page.locator("#items tbody tr[data-at]").all_inner_texts()


def marked(page: Page, name: str) -> list[str]:
    """Return the texts that Chromium paints for a highlight."""
    return page.evaluate(  # type: ignore[no-any-return]
        """name => [...(CSS.highlights.get(name) ?? [])].map(
            range => range.startContainer.data.slice(range.startOffset, range.endOffset))""",
        name,
    )


def wait_for_marks(page: Page, name: str, count: int) -> None:
    page.wait_for_function("([name, count]) => (CSS.highlights.get(name)?.size ?? 0) === count", arg=[name, count])


def test_items_appear_before_the_reply_has_ended(play: Play, page: Page) -> None:
    gate = Gate()
    with Scripted([people(*PEOPLE, wait_after=15, gate=gate)]) as provider:
        run(page, play(provider))
        gate.reached()
        page.locator("tr.good", has_text="Jason").wait_for()
        page.locator("tr.open", has_text="Joh").wait_for()
        page.locator("#counters .running").wait_for()
        assert page.get_by_role("button", name="Stop").is_visible()
        gate.open()
        ended(page)
        assert [re.split(r"\s+", row.strip()) for row in rows(page)] == [
            ["1", "Jason", "10"], ["2", "John", "30"], ["3", "Zoë", "50"],
        ]  # fmt: skip
        assert page.get_by_role("button", name="Stop").is_hidden()
        page.get_by_role("status").filter(has_text="ended: 3 items").wait_for()


@pytest.mark.parametrize("segments", [False, True])
def test_what_is_marked_is_what_python_slices(play: Play, page: Page, segments: bool) -> None:
    with Scripted([people(*PEOPLE)]) as provider:
        run(page, play(provider) + "/?segments" * segments)
        ended(page)
        names, ages = [each["name"] for each in PEOPLE], [str(each["age"]) for each in PEOPLE]
        if segments:
            page.locator(".mark.field-1").nth(2).wait_for()
            assert page.locator(".mark.field-0").all_text_contents() == names
            assert page.locator(".mark.field-1").all_text_contents() == ages
            assert page.locator(".mark .mark").count() == 0
        else:
            wait_for_marks(page, "field-1", 3)
            assert marked(page, "field-0") == names
            assert marked(page, "field-1") == ages
        assert page.locator("#marked").text_content() == TEXT.replace("\r\n", "\n")  # as a field of a page has it


def test_a_row_leads_to_its_marks_and_a_mark_to_its_row(play: Play, page: Page) -> None:
    with Scripted([people(*PEOPLE)]) as provider:
        run(page, play(provider))
        ended(page)
        wait_for_marks(page, "field-0", 3)
        page.locator("tr", has_text="John").hover()
        assert marked(page, "active") == ["John", "30"]
        page.locator("tr", has_text="Zoë").click()
        page.mouse.move(0, 0)
        assert marked(page, "active") == ["Zoë", "50"]
        assert page.locator("#detail").get_by_text("“Zoë”").is_visible()
        box = page.evaluate(
            """() => { const range = [...CSS.highlights.get('field-0')][1]; const live = document.createRange();
            live.setStart(range.startContainer, range.startOffset); live.setEnd(range.endContainer, range.endOffset);
            const at = live.getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2]; }"""
        )
        page.mouse.move(*box)
        page.locator("tr.hovered", has_text="John").wait_for()
        page.mouse.click(*box)
        page.locator("tr.selected", has_text="John").wait_for()


def test_the_keyboard_is_enough(play: Play, page: Page) -> None:
    with Scripted([people(*PEOPLE)]) as provider:
        run(page, play(provider))
        ended(page)
        page.locator("body").press("n")  # a letter in a field is a letter
        page.get_by_role("textbox", name="Schema").press("Escape")
        page.evaluate("document.activeElement.blur()")
        for key, name in (("n", "Jason"), ("n", "John"), ("p", "Jason"), ("p", "Jason")):
            page.keyboard.press(key)
            page.locator("tr.selected", has_text=name).wait_for()
        page.get_by_role("grid", name="Items").focus()
        for key, name in (("End", "Zoë"), ("ArrowUp", "John"), ("Home", "Jason"), ("ArrowDown", "John")):
            page.keyboard.press(key)
            page.locator("tr.selected[aria-selected=true]", has_text=name).wait_for()
        page.keyboard.press("Escape")
        page.wait_for_function("() => !document.querySelector('tr.selected')")
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        assert page.get_by_role("textbox", name="Text").is_visible()


def test_a_corrected_item_shows_both_tries(play: Play, page: Page) -> None:
    wrong = {"name": "John", "age": "thirty"}
    gate = Gate()
    with Scripted([people(PEOPLE[0], wrong, wait_after=20, gate=gate), people(PEOPLE[1])]) as provider:
        run(page, play(provider))
        gate.reached()
        page.locator("tr.wrong", has_text="valid integer").wait_for()
        gate.open()
        ended(page)
        page.locator("tr.repaired", has_text="John").click()
        detail = page.locator("#detail")
        assert detail.locator(".try").count() == 2
        assert "thirty" in detail.locator(".try").first.inner_text()
        assert detail.locator(".try.right mark").all_inner_texts() == ['"age": 30\n']
        page.get_by_role("button", name="2 asked again").click()
        parts = detail.locator("section").all_inner_texts()
        assert "thirty" in parts[0]
        assert json.loads(detail.get_by_label("Reply as it came").inner_text()) == {"tasks": [PEOPLE[1]]}
        assert "Corrected by this request" in parts[2]
        detail.get_by_label("Form of what was sent").select_option("curl")
        assert "$OPENAI_API_KEY" in detail.locator("section").first.inner_text()
        assert "sk-fake" not in page.content()


def test_stop_is_at_once_and_go_on_goes_on(play: Play, page: Page) -> None:
    with Scripted([people(*PEOPLE, silence_after=20), people(PEOPLE[2])]) as provider:
        run(page, play(provider))
        page.locator("tr.good", has_text="Jason").wait_for()
        page.get_by_role("button", name="Stop").click()
        page.locator("#counters .stopped").wait_for()
        assert provider.served[0].wait().client_left
        page.get_by_role("button", name="Go on").click()
        ended(page)
        assert [row.split()[1] for row in rows(page)] == ["Jason", "John", "Zoë"]
        page.get_by_role("button", name="2 continued").wait_for()
        assert len(provider.requests) == 2


def test_a_reload_and_a_second_tab_ask_nothing_twice(play: Play, page: Page) -> None:
    gate = Gate()
    with Scripted([people(*PEOPLE, wait_after=18, gate=gate)]) as provider:
        run(page, play(provider))
        gate.reached()
        page.locator("tr.good", has_text="Jason").wait_for()
        page.reload()
        page.locator("tr.good", has_text="Jason").wait_for()
        second = page.context.new_page()
        second.goto(page.url)
        second.locator("tr.good", has_text="Jason").wait_for()
        page.close()  # closing a tab is not stopping
        gate.open()
        ended(second)
        assert len(rows(second)) == 3
        assert second.get_by_role("textbox", name="Schema").input_value() == "name, age int"
        assert len(provider.requests) == 1
        assert not provider.served[0].client_left


def test_nothing_hostile_becomes_a_part_of_the_page(play: Play, page: Page, tmp_path: Path) -> None:
    value = {"name": HOSTILE, "age": "x"}
    right = {"name": HOSTILE, "age": 1}
    schema = f'name: "{HOSTILE.replace(chr(34), "")}", age int'
    with Scripted([people(PEOPLE[0], value), people(right)]) as provider:
        address = play(provider, HOSTILE + " 1")
        run(page, address, schema)
        ended(page)
        page.locator("tr.repaired").click()
        page.get_by_role("button", name="1 first").click()
        wait_for_marks(page, "field-0", 1)
        assert marked(page, "field-0") == [HOSTILE]
        assert page.locator("img, svg, b.x, #detail script").count() == 0
        assert page.title() == "instructor play"
        page.get_by_role("textbox", name="Schema").fill(f"name {HOSTILE}")
        page.locator("#schema-error", has_text="onerror").wait_for()
        assert page.locator("img, svg").count() == 0
        with page.expect_download() as download:
            page.get_by_role("link", name="Page").click()
        download.value.save_as(tmp_path / "extraction.html")
    exported = page.context.new_page()
    faults: list[str] = []
    exported.on("console", lambda message: faults.append(message.text))
    exported.on("pageerror", lambda error: faults.append(str(error)))
    exported.goto((tmp_path / "extraction.html").as_uri())
    exported.locator("tr.repaired").click()
    assert exported.locator("img, svg").count() == 0
    assert marked(exported, "field-0") == [HOSTILE]
    assert marked(exported, "active") == [HOSTILE, "1"]
    assert exported.title() == "2 items of openai/scripted"
    assert exported.locator("#detail .try").count() == 2
    assert faults == []
    exported.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    assert exported.evaluate("window.ran") is None  # the policy of the file lets no other script run
    assert "script-src" in " ".join(faults)


def test_a_foreign_page_gets_nothing(
    play: Play, browser: Browser, serve: Callable[[Path], str], tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>foreign</title>")
    with Scripted([]) as provider:
        address = play(provider)
        context = browser.new_context()
        page = context.new_page()
        page.goto(serve(tmp_path))  # another port of this machine is another origin
        body = json.dumps({"text": "a", "schema": {"kind": "fields", "text": "name"}})
        asked = page.evaluate(
            """async ([address, body]) => {
                const headers = {"content-type": "application/json"};
                const tries = [
                    () => fetch(address + "/session"),
                    () => fetch(address + "/runs", {method: "POST", body}),
                    () => fetch(address + "/runs", {method: "POST", body, headers}),
                    () => fetch(address + "/runs", {method: "POST", body, mode: "no-cors"}),
                    () => import(address + "/static/dom.js"),
                ];
                const results = [];
                for (const each of tries) {
                    try { const reply = await each(); results.push(reply.type ?? "module"); }
                    catch (error) { results.push(error.name); }
                }
                return results;
            }""",
            [address, body],
        )
        assert asked == ["TypeError", "TypeError", "TypeError", "TypeError", "TypeError"]
        page.evaluate(
            """address => { const form = document.createElement("form"); form.action = address + "/runs";
            form.method = "POST"; form.enctype = "text/plain"; document.body.append(form); form.submit(); }""",
            address,
        )
        page.wait_for_url(address + "/runs")
        assert "must be" in page.inner_text("body")
        frame = context.new_page()
        frame.goto(serve(tmp_path))
        frame.evaluate(
            "address => document.body.append(Object.assign(document.createElement('iframe'), {src: address}))", address
        )
        frame.wait_for_timeout(300)
        assert "Schema" not in "".join(each.inner_text("body") for each in frame.frames if each.url.startswith(address))
        context.close()
        assert provider.requests == []


def test_ten_thousand_items_are_few_rows_in_the_page(play: Play, page: Page) -> None:
    many = [{"name": f"Person {number}", "age": number % 90} for number in range(10_000)]
    text = "".join(f"Person {number} is {number % 90}.{chr(10) * (number % 9 == 0)}" for number in range(10_000))
    with Scripted([people(*many, chunk=400, events_per_write=10)]) as provider:
        page.goto(play(provider, text))
        page.evaluate(
            """() => { window.drawn = 0; window.most = 0;
            new MutationObserver(() => { window.drawn++;
                window.most = Math.max(window.most, document.querySelectorAll("#items tr").length); })
                .observe(document.querySelector("#items tbody"), {childList: true});
            window.frames_ = 0; const count = () => { window.frames_++; requestAnimationFrame(count); };
            requestAnimationFrame(count); }"""
        )
        page.get_by_role("textbox", name="Schema").fill("name, age int")
        page.keyboard.press("Control+Enter")
        page.locator("#counters .ended").wait_for(timeout=60_000)
        page.locator("tr", has_text="Person 9999").wait_for()
        drawn, frames, most = page.evaluate("[window.drawn, window.frames_, window.most]")
        assert drawn <= frames + 1  # not more than once a frame
        assert most < 60
        page.wait_for_function("() => CSS.highlights.has('field-0')")
        assert page.evaluate("CSS.highlights.get('field-0').size") < 1000  # those in view, and some around
        page.locator("#marked").evaluate("box => { box.scrollTop = box.scrollHeight; }")
        page.wait_for_function("""() => [...CSS.highlights.get('field-0') ?? []].some(
            range => range.startContainer.data.slice(range.startOffset, range.endOffset) === 'Person 9999')""")
        page.get_by_role("grid").focus()
        page.keyboard.press("Home")
        page.locator("tr.selected", has_text="Person 0").wait_for()
        assert page.get_by_role("grid").get_attribute("aria-rowcount") == "10001"
        page.keyboard.press("PageDown")
        page.wait_for_function("() => Number(document.querySelector('tr.selected')?.dataset.at) > 5")


@pytest.mark.parametrize("width", [360, 700])
def test_a_narrow_window_needs_no_scrolling_sideways(play: Play, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    with Scripted([people(*PEOPLE)]) as provider:
        run(page, play(provider), "name, age int, a_rather_long_name?, another_long_name?")
        ended(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("tr", has_text="Zoë").click()
        page.locator("#detail").get_by_text("“Zoë”").wait_for()


def test_a_class_of_a_file_and_one_value(play: Play, page: Page) -> None:
    class Ship(BaseModel):
        name: str

    with Scripted([answer({"name": "Zoë"})]) as provider:
        page.goto(play(provider, classes={"Ship": Ship}))
        page.get_by_label("Class", exact=True).wait_for()
        page.get_by_label("A list of these").uncheck()
        page.get_by_role("button", name="Run").click()
        ended(page)
        assert [row.split() for row in rows(page)] == [["1", "Zoë"]]


def test_the_end_of_the_server_is_said(page: Page) -> None:
    with Scripted([people(*PEOPLE, silence_after=16)]) as provider:
        options = {"base_url": provider.base_url, "api_key": "sk-fake"}
        with PageServer(Session(model="openai/scripted", text=TEXT, options=options)) as server:
            page.goto(server.root)
            page.get_by_role("button", name="Run").click()
            page.locator("tr.good", has_text="Jason").wait_for()
        page.get_by_role("alert").filter(has_text="The server has ended.").wait_for()
        assert page.locator("tr.good", has_text="Jason").is_visible()


def test_what_is_wrong_is_said(play: Play, page: Page) -> None:
    with Scripted([]) as provider:
        page.goto(play(provider))
        page.get_by_role("textbox", name="Schema").fill("name strr")
        page.get_by_role("alert").filter(has_text="Did you mean 'str'").wait_for()
        page.get_by_role("textbox", name="Schema").fill("name str")
        page.locator("#schema-error").wait_for(state="hidden")


def test_a_store_is_watched_while_it_is_written(play: Play, page: Page, tmp_path: Path) -> None:
    gate = Gate()
    store = tmp_path / "people.sqlite"
    replies = [answer(PEOPLE[0]), error(400, "too long"), answer(PEOPLE[1])]
    with Scripted([*replies[:2], replies[2].but(wait_after=0, gate=gate)]) as provider:
        page.goto(play(None, stores=[store]))
        page.locator("#counters", has_text="no run yet").wait_for()
        with openai.OpenAI(base_url=provider.base_url, api_key="sk-fake", max_retries=0) as sdk:
            rows = ["Jason is 10", HOSTILE, "John is 30"]
            job = instructor.from_openai(sdk).map(
                rows, response_model=Person, model="scripted", store=store, limits=Limits(concurrency=1)
            )
            next(job)
            gate.reached()
            page.locator("tr.good", has_text="Jason is 10").wait_for()
            page.locator("tr.failed", has_text="too long").click()
            assert page.locator("#marked").text_content() == HOSTILE
            assert page.locator("#detail").get_by_text("too long").is_visible()
            page.locator("#counters", has_text="2 of 3").wait_for()
            assert page.get_by_role("progressbar").get_attribute("value") == "2"
            gate.open()
            list(job)
        page.locator("#counters .ended").wait_for()
        page.locator("tr.good", has_text="John is 30").click()
        assert json.loads(page.locator("#detail pre").inner_text()) == PEOPLE[1]
        assert page.locator("img, svg").count() == 0


def test_a_recording_stands_for_a_model(play: Play, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    messages: Any = [{"role": "user", "content": TEXT}]
    with (
        Scripted([people(*PEOPLE)]) as provider,
        Recorder(provider.base_url, path) as recorder,
        openai.OpenAI(base_url=recorder.base_url, api_key="sk-fake", max_retries=0) as sdk,
    ):
        client = instructor.from_openai(sdk)
        list(client.create_iterable(response_model=Person, messages=messages, model="scripted"))
    page.goto(play(None, "", recordings=[Recording(path)]))
    page.get_by_role("button", name="Run").click()
    ended(page)
    assert [row.split()[1] for row in rows(page)] == ["Jason", "John", "Zoë"]
    assert json.loads(page.get_by_role("textbox", name="Schema").input_value())["required"] == ["name", "age"]
    assert page.get_by_label("Model").input_value() == "recording/people.txt"
    page.get_by_label("Form of the schema").select_option("fields")
    page.get_by_role("textbox", name="Schema").fill("name")
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("() => document.querySelectorAll('#items thead th').length === 3")
    ended(page)
    assert [row.split()[1:] for row in rows(page)] == [["Jason"], ["John"], ["Zoë"]]


@pytest.mark.model
def test_the_embedded_model(play: Play, page: Page) -> None:
    run(page, play(None, "Jason is 10 and John is 30."))
    page.locator("#counters .ended").wait_for(timeout=120_000)
    assert [re.split(r"\s+", row.strip())[1:] for row in rows(page)] == [["Jason", "10"], ["John", "30"]]
    page.get_by_role("button", name="1 first").click()
    assert "Jason" in page.locator("#detail").inner_text()
