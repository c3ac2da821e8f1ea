"""plotly.min.js for the live chart, from the installed plotly package: served by the app itself, fetched once by each browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import plotly

from resnet_core import atomic
from resnet_core.errors import UserError

#: Streamlit serves this folder, beside the script that it runs, at ``app/static/`` (server.enableStaticServing).
STATIC = Path(__file__).resolve().parents[1] / "static"
#: The version in the name makes a browser fetch it anew when plotly was upgraded.
NAME = f"plotly-{plotly.__version__}.min.js"
#: Streamlit sends no Cache-Control for static files, so browsers keep them for a tenth of their age (RFC 9111, 4.2.2).
_LONG_AGO = 946_684_800


def publish() -> str:
    """The path of plotly.min.js relative to the app's root. Copied on the first call after an installation or upgrade.

    Raises:
        UserError: the folder cannot be written.
    """
    target = STATIC / NAME
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    try:
        if not target.is_file() or target.stat().st_size != source.stat().st_size:
            STATIC.mkdir(exist_ok=True)
            with atomic.replacing(target) as written:
                shutil.copyfile(source, written)
                written.chmod(0o644)
                os.utime(written, (_LONG_AGO, _LONG_AGO))
    except OSError as error:
        reason = f"{error.filename or target}: {os.strerror(error.errno or 0)}"
        raise UserError("{reason}; the live chart needs a copy of {source} there.", reason=reason, source=source) from error
    return f"app/static/{NAME}"
