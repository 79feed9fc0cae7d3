"""The page of the forms of models: each model has a section, which a measurement of another leaves as it is."""

from benchmarks.quantization import PAGE, render, sections


def test_the_page_is_what_its_script_writes_of_its_sections() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert render(sections(page)) == page


def test_a_model_that_is_measured_leaves_the_others_as_they_were() -> None:
    there = sections(PAGE.read_text(encoding="utf-8"))
    more = sections(render({**there, "mine": "About mine.\n\n| form |\n|---|\n| none |"}))
    assert {name: more[name] for name in there} == there
    again = sections(render({**more, "mine": "Anew."}))
    assert again == {**there, "mine": "Anew."}
