"""The process that downloads: fetches files through torchvision, and unpacks archives. ``downloading.py`` starts it.

    python -P fetch.py FOLDER NAME URL DIGEST [URL DIGEST ...]

What is no archive goes into the folder NAME in FOLDER; an archive unpacks to that. A digest is an MD5 or, if it is shorter than that, the
first digits of a SHA-256.

A process of its own, because torchvision offers no progress, no time limit and no way to stop, and because importing it takes
seconds that the web server should not spend. It imports nothing of the project, and ends when standard input closes, that is
with its parent. On failure, standard output says why and the exit status is 1.
"""

import hashlib
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

        for url, digest in zip(pairs[::2], pairs[1::2], strict=True):
            file, md5 = url.rsplit("/", 1)[-1], digest if len(digest) == 32 else None
            if file.endswith(".tar.gz"):
                download_and_extract_archive(url, folder, filename=file, md5=md5)
            else:
                download_url(url, os.path.join(folder, name), filename=file, md5=md5)
                if md5 is None:
                    with open(os.path.join(folder, name, file), "rb") as content:
                        found = hashlib.file_digest(content, "sha256").hexdigest()
                    if not found.startswith(digest):
                        raise ValueError(f"what arrived has the SHA-256 {found}, which does not begin with {digest}")
    except Exception as error:  # whatever it is, the parent tells the user
        print(getattr(error, "reason", None) or error or type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
