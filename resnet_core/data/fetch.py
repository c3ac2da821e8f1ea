"""The process that downloads: fetches files through torchvision, and unpacks archives. ``downloading.py`` starts it.

    python -P fetch.py FOLDER NAME URL MD5 [URL MD5 ...]

What is no archive goes into the folder NAME in FOLDER; an archive unpacks to that.

A process of its own, because torchvision offers no progress, no time limit and no way to stop, and because importing it takes
seconds that the web server should not spend. It imports nothing of the project, and ends when standard input closes, that is
with its parent. On failure, standard output says why and the exit status is 1.
"""

import os
import socket
import sys
import threading

#: Seconds without a byte after which the connection counts as lost.
TIMEOUT = 30


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(1)


def main(folder: str, name: str, *pairs: str) -> int:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        from torchvision.datasets.utils import download_and_extract_archive, download_url

        for url, md5 in zip(pairs[::2], pairs[1::2], strict=True):
            file = url.rsplit("/", 1)[-1]
            if file.endswith(".tar.gz"):
                download_and_extract_archive(url, folder, filename=file, md5=md5)
            else:
                download_url(url, os.path.join(folder, name), filename=file, md5=md5)
    except Exception as error:  # whatever it is, the parent tells the user
        print(getattr(error, "reason", None) or error or type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
