import re
from pathlib import Path

import yaml

from speedmap import __version__


def test_the_newest_release_note_is_of_the_version_and_date_to_cite():
    version, date = re.search(r"^## (\S+) \((\S+)\)$", Path("CHANGELOG.md").read_text("utf-8"), re.MULTILINE).groups()
    cited = yaml.safe_load(Path("CITATION.cff").read_text("utf-8"))
    assert (cited["version"], str(cited["date-released"])) == (version, date)
    assert version == __version__
