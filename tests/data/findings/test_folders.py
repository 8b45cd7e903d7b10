"""A folder that does not load still gives every finding that can be had."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest

from neurosage.data.findings.folders import load_and_find
from neurosage.errors import InputError

from ..conftest import entry, lay_out, png, write_zip


def found(folder):
    teacher, findings = load_and_find(folder)
    assert all(finding.place and finding.message and finding.remedy for finding in findings)
    return teacher, {finding.rule: finding for finding in findings}


def rewrite(folder, old, new):
    card = folder / "card.toml"
    assert old in card.read_text()
    card.write_text(card.read_text().replace(old, new))


def put(folder, key, path, **keys):
    """Name another file under a key of the card, with its hash."""
    lines = (folder / "card.toml").read_text().splitlines()
    line = f"{key} = {entry(path, **keys)}"
    (folder / "card.toml").write_text(
        "\n".join(line if one.startswith(f"{key} =") else one for one in lines) + "\n"
    )


def save(folder, values):
    """Write other responses."""
    np.save(folder / "responses.npy", values)
    put(folder, "responses", folder / "responses.npy", dims='["neuroid", "stimulus"]')


def test_a_folder_that_loads(lab):
    """It gives the teacher and what is found in it: here too little of everything."""
    teacher, rules = found(lab)
    assert teacher is not None
    assert rules["few-sites"].severity == "error"
    assert rules["card-silent"].place == "card.toml"


def test_names_that_are_nobodys_are_wrong_calls(lab):
    """An unknown id, path or part is raised, not found."""
    with pytest.raises(InputError, match="no-such"):
        load_and_find("no-such")
    with pytest.raises(InputError, match="second"):
        load_and_find(f"{lab}/second")
    with pytest.raises(InputError):
        load_and_find("")


def test_a_folder_without_card(lab):
    """The next step is to write one, and images are looked at all the same."""
    (lab / "card.toml").unlink()
    (lab / "images.zip").unlink()
    write_zip(lab / "images.zip", ["a.png", "b.png"])
    (lab / "more").mkdir()
    (lab / "more" / "x.png").write_bytes(b"no image")
    teacher, rules = found(lab)
    assert teacher is None
    assert f"neurosage teacher new {lab}" in rules["no-card"].remedy
    assert rules["image-unreadable"].place == "stimulus x.png"


def test_each_fault_of_a_card_is_a_finding(lab):
    """A misspelt key and a wrong kind are two findings; images are looked at besides."""
    rewrite(lab, 'kind = "recorded"', 'kind = "brain"\nlicense = "MIT"')
    (lab / "images.zip").write_bytes(b"PK\x03\x04 cut")
    _, findings = load_and_find(lab)
    faults = [finding.message for finding in findings if finding.rule == "card"]
    assert len(faults) == 2
    assert any("did you mean 'licence'" in fault for fault in faults)
    assert "images" in {finding.rule for finding in findings}


def test_a_misspelt_word_hides_no_fault_of_the_files(lab):
    """The card's fault, the missing images and the changed responses, all at once."""
    rewrite(lab, "schema = 1", 'schema = 1\nnormalize = "zscore"')
    (lab / "images.zip").unlink()
    (lab / "responses.npy").write_bytes(b"changed")
    findings = load_and_find(lab)[1]
    told = " ".join(finding.message for finding in findings)
    assert "unknown key 'normalize'" in told
    assert "images.zip" in told
    assert "is not the file that the card" in told


def test_files_are_left_alone_where_the_card_misnames_them(lab):
    """A fault in what says which files there are tells nothing of the files."""
    rewrite(lab, "responses =", "response =")
    assert {"card"} == {finding.rule for finding in load_and_find(lab)[1]}


def test_a_card_that_is_no_toml(lab):
    """It is one finding."""
    (lab / "card.toml").write_text("id = \n")
    assert found(lab)[1]["card"].severity == "error"


def test_missing_and_changed_files(lab):
    """A file that is gone and one that is another are each named; the latter is looked at."""
    (lab / "responses.npy").unlink()
    write_zip(lab / "images.zip", ["a.png"])
    with zipfile.ZipFile(lab / "images.zip", "a") as archive:
        archive.writestr("b.png", png(0))
    _, findings = load_and_find(lab)
    assert [f.place for f in findings if f.rule == "image-twice"] == ["group a.png = b.png"]
    places = {finding.place for finding in findings if finding.rule == "file"}
    assert places == {"responses.npy", "images.zip"}


def test_responses_are_looked_at_though_images_are_not_there(lab):
    """Dead neuroids are found in a folder that has lost its images."""
    save(lab, np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]))
    (lab / "images.zip").unlink()
    teacher, rules = found(lab)
    assert teacher is None
    assert rules["file"].place == "images.zip"
    assert rules["dead-neuroid"].place == "neuroid IT.1"


def test_images_are_looked_at_though_responses_do_not_fit(lab):
    """Too many responses, and an image that is none, are both found."""
    write_zip(lab / "images.zip", ["a.png", "b.png", "c.png"])
    with zipfile.ZipFile(lab / "images.zip", "a") as archive:
        archive.writestr("d.png", b"no image")
    put(lab, "images", lab / "images.zip")
    save(lab, np.arange(10.0).reshape(2, 5))
    teacher, rules = found(lab)
    assert teacher is None
    assert rules["image-unreadable"].place == "stimulus d.png"
    assert "5" in rules["responses"].message


def test_ids_that_match_nothing_are_named(lab):
    """A csv with ids of its own: those without a partner on either side are named."""
    (lab / "responses.npy").unlink()
    (lab / "responses.csv").write_text("stimulus_id,n1,n2\na,1,2\nb,3,5\nz,4,1\n")
    put(lab, "responses", lab / "responses.csv")
    _, findings = load_and_find(lab)
    places = {finding.place for finding in findings if finding.rule == "ids-unmatched"}
    assert places == {"stimulus c", "stimulus z"}


def test_files_without_hash_are_a_note(lab):
    """A local file may go without, and it is said."""
    card = lab / "card.toml"
    card.write_text(re.sub(r'hash = "[^"]*", ', "", card.read_text()))
    assert found(lab)[1]["no-hash"].severity == "note"


def test_order_of_names_that_is_not_that_of_numbers(tmp_path):
    """Image 10 comes before image 2 by name: worth a look where responses have no ids."""
    folder = lay_out(tmp_path / "lab")
    names = [f"im{k}.png" for k in (1, 2, 10)]
    write_zip(folder / "images.zip", names)
    put(folder, "images", folder / "images.zip")
    warning = found(folder)[1]["order-of-names"]
    assert (warning.severity, warning.place) == ("warning", "2 images: im10.png, im2.png")


def test_no_fault_is_told_that_is_not_there(tmp_path):
    """Labels selected, order by file name, text columns: only the wrong count is found."""
    folder = tmp_path / "lab"
    folder.mkdir()
    write_zip(folder / "i.zip", [f"im_{k:02d}.png" for k in range(24)])
    rows = "".join(f"s{k:02d},{k % 2},0{k}\n" for k in range(24))
    (folder / "s.csv").write_text("stimulus_id,cat,code\n" + rows)
    np.save(folder / "r.npy", np.random.default_rng(0).poisson(5, (24, 20)).astype(float))
    (folder / "card.toml").write_text(
        'schema = 1\nid = "lab"\nkind = "recorded"\n[part.all]\n'
        'responses = { file = "r.npy", select = { cat = "1" }, unit = "spikes/s" }\n'
        'images = { file = "i.zip", order = "file name" }\n'
        'stimuli = { file = "s.csv", text = ["cat"] }\n'
        'neuroids = { region = "V4", subject = "A" }\ncounts = { neuroid = 21 }\n'
    )
    teacher, findings = load_and_find(folder)
    assert teacher is None
    errors = [finding for finding in findings if finding.severity == "error"]
    assert [finding.rule for finding in errors] == ["load"]
    assert "20 of neuroid" in errors[0].message


def test_ids_are_compared_as_they_are_on_loading(lab):
    """One image more than responses is one fault, though every id has a suffix."""
    (lab / "responses.npy").unlink()
    (lab / "responses.csv").write_text("stimulus_id,n1,n2\na.png,1,2\nb.png,3,5\n")
    put(lab, "responses", lab / "responses.csv")
    _, findings = load_and_find(lab)
    places = {finding.place for finding in findings if finding.rule == "ids-unmatched"}
    assert places == {"stimulus c"}
