"""Excel workbooks as frames, for public data that comes as .xlsx only.

Here: the first sheet, its first row as the header. Not here: dates, formulas, further sheets.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_workbook(path: Path) -> pd.DataFrame:
    """Rows of the first sheet: numbers as doubles, text as text, empty cells null."""
    with zipfile.ZipFile(path) as book:
        strings = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314 - a file of the user's own
        words = ["".join(part.text or "" for part in each.iter(f"{_NS}t")) for each in strings]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    rows = []
    for row in sheet.iter(f"{_NS}row"):
        cells = {}
        for cell in row:
            value = cell.find(f"{_NS}v")
            if value is None or value.text is None:
                continue
            column = re.sub(r"\d", "", cell.get("r", ""))
            is_word = cell.get("t") == "s"
            is_text = is_word or cell.get("t") == "str"
            text = words[int(value.text)] if is_word else value.text
            cells[column] = text if is_text else float(text)
        rows.append(cells)
    header = rows[0]
    frame = pd.DataFrame(rows[1:], columns=list(header))
    return frame.rename(columns=header).infer_objects()
