"""Check-ins of New York on Foursquare, April 2012 to February 2013: research use.

147,480 check-ins (458 that are there twice left out) of 1,083 users at 5,135 venues,
each with latitude and longitude; 47,176 sessions, which end after a day without a
check-in. Times are right relative to one another: their origin is not known. Source:
Yang et al. 2015, "Modeling user activity preference by leveraging user spatial temporal
characteristics in LBSNs", as released with STAN (Luo et al. 2021).
"""

from __future__ import annotations

import logging
from pathlib import Path

from recjax import fetch
from recjax.errors import UserError
from recjax.prepare.event_rows import TWICE
from recjax.prepare.options import Files, How
from recjax.prepare.prepare import check
from recjax.prepare.write import Data
from recjax.seconds import DAY

FOLDER = "foursquare_nyc"
FILES = ("checkins.csv.gz", "venues.csv")
URL = "https://sites.google.com/site/yangdingqi/home/foursquare-dataset"
log = logging.getLogger(__name__)


def data() -> Data:
    """Returns the data.

    Raises:
      UserError: a raw file is missing or damaged.
    """
    how = (
        "put checkins.csv.gz (user,item,timestamp) and venues.csv (item,latitude,"
        f"longitude), made of {URL},"
    )
    what = "Foursquare's raw data is"
    found = [fetch.by_hand(FOLDER, name, what=what, how=how) for name in FILES]
    return read(*found)


def read(checkins: Path, venues: Path) -> Data:
    """Reads the two tables; of a check-in that is there twice the first stays.

    Raises:
      UserError: a table is damaged.
    """
    columns = ("items:latitude=number", "items:longitude=number")
    how = How(column=columns, unit="s", gap=DAY)
    found = check(Files(events=checkins, items=venues), how)
    report = found.report
    if found.data is None or {kind for _, kind in report.counts} - {TWICE}:
        raise UserError(f"{report}\n\nFetch both files again from {URL}.")
    log.info("Left out %d check-ins that are there twice", report.bad_rows)
    return found.data
