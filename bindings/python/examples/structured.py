"""An answer as an object of a class: structured.py PROVIDER [KEY=VALUE ...]

    python structured.py openai model=gpt-4o-mini
"""

import sys
from dataclasses import dataclass

from tolmach import AnswerFormatError, Client, TolmachError


@dataclass
class Report:
    """How warm it is in a city."""

    city: str
    celsius: float


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: structured.py PROVIDER [KEY=VALUE ...]", file=sys.stderr)
        return 2
    config = dict(setting.partition("=")[::2] for setting in sys.argv[2:])
    try:
        with Client.from_dict({"provider": sys.argv[1], **config}) as client:
            report = client.ask_for(Report, "It is three degrees in Oslo.")
            print(f"{report.city}: {report.celsius:g} °C")
    except AnswerFormatError as error:
        text = error.answer.text if error.answer else ""
        print(f"structured: {error}\n{text}", file=sys.stderr)
        return 1
    except TolmachError as error:
        print(f"structured: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
