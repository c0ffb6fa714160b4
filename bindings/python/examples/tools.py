"""Tools that the model calls: tools.py PROVIDER [KEY=VALUE ...]

    python tools.py openai model=gpt-4o-mini
"""

import sys
from typing import Annotated

from tolmach import Client, Request, TolmachError


def weather(city: Annotated[str, "the name of a city"]) -> str:
    """How warm it is in a city now."""
    warmth = {"Oslo": "3 °C", "Bergen": "5 °C"}[city]
    print(f"[weather of {city}: {warmth}]")
    return warmth


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: tools.py PROVIDER [KEY=VALUE ...]", file=sys.stderr)
        return 2
    config = dict(setting.partition("=")[::2] for setting in sys.argv[2:])
    question = Request().user("How warm is it in Oslo and in Bergen?")
    try:
        with Client.from_dict({"provider": sys.argv[1], **config}) as client:
            print(client.run(question, [weather], max_rounds=5).text)
    except TolmachError as error:
        print(f"tools: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
