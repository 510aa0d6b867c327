"""Tables for the reports."""


def table(head, rows):
    """The lines of a table in Markdown, and an empty one."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for r in rows:
        yield "| " + " | ".join(r) + " |"
    yield ""
