"""Makes images and writes them to files: images.py PROVIDER PROMPT [KEY=VALUE ...]

    python images.py openai "a cat on a roof" model=gpt-image-1
"""

import mimetypes
import sys
from pathlib import Path

from tolmach import Client, TolmachError


def main() -> int:
    if len(sys.argv) < 3:
        print("usage: images.py PROVIDER PROMPT [KEY=VALUE ...]", file=sys.stderr)
        return 2
    provider, prompt, *settings = sys.argv[1:]
    config = dict(setting.partition("=")[::2] for setting in settings)
    try:
        with Client.from_dict({"provider": provider, **config}) as client:
            answer = client.ask(prompt)
    except TolmachError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    for number, image in enumerate(answer.images, 1):
        if image.data is None:
            print(image.url)
            continue
        file = Path(f"image{number}{mimetypes.guess_extension(image.mime) or ''}")
        file.write_bytes(image.data)
        print(f"{file}: {image.mime}, {len(image.data)} bytes")
    if not answer.images:
        print(answer.text or answer.refusal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
