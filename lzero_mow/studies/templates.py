"""Texts and pages from the jinja templates beside the code."""
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from lzero_mow.utils.files import replacing


def write_template(path: str, template: str, **values: Any) -> None:
    """Write a file from a template, named by its path in this folder; in HTML the values are escaped."""
    loader = PackageLoader('lzero_mow.studies', '')
    environment = Environment(
        loader=loader, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    text = environment.get_template(template).render(values)
    with replacing(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        file.write(text)
