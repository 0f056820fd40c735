"""The receipts: images in, typed rows out; a bad image harms nobody but itself."""

import csv
import importlib.util
from pathlib import Path

RECEIPTS = Path(__file__).parents[2] / "examples" / "receipts" / "receipts.py"
WRONG = "   CORNER SHOP\nDATE 2026-01-02\n\n1 X TEA             2.00\nTOTAL                 3.00"


def test_receipts_are_read(run, tmp_path):
    """Four items of each; what is no image, and what does not add up, is told, and the rest stands."""
    folder = tmp_path / "receipts"
    drawn = run(RECEIPTS, folder, "--draw", 3)
    spec = importlib.util.spec_from_file_location("drawing", RECEIPTS.with_name("drawing.py"))
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    (folder / "wrong.png").write_bytes(drawing.draw(WRONG))
    (folder / "none.png").write_bytes(b"no image")
    table = tmp_path / "rows.csv"
    read = run(RECEIPTS, folder, "--out", table)

    assert [done.returncode for done in (drawn, read)] == [0, 1]
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 12
    for name in ("receipt-001.png", "receipt-002.png", "receipt-003.png"):
        own = [row for row in rows if row["file"] == name]
        assert round(sum(float(row["price"]) for row in own), 2) == float(own[0]["total"])
    none, wrong = read.stderr.splitlines()
    assert none.startswith("none.png: ")
    assert wrong.startswith("wrong.png: ")
    assert "the items make 2.00, and the total says 3.00" in wrong


def test_a_folder_without_images_is_told(run, tmp_path):
    """It is bad usage, and the message says how to come by some."""
    done = run(RECEIPTS, tmp_path / "nowhere")

    assert done.returncode == 2
    assert "there is no PNG image" in done.stderr
    assert "--draw 20" in done.stderr
