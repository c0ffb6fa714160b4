"""PROGRAM BASE_URL MODEL: reads an answer twice by the Python binding. Prints the CPU
microseconds of the second reading, and its chunks."""

import resource
import sys

from tolmach import ChunkKind, Client, Request


def cpu() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int((usage.ru_utime + usage.ru_stime) * 1e6)


def read(client: Client, model: str) -> tuple[int, int]:
    chunks = characters = 0
    with client.stream(Request(model).user("Hello")) as stream:
        for chunk in stream:
            chunks += 1
            if chunk.kind == ChunkKind.TEXT:
                characters += len(chunk.text)
    return chunks, characters


def main() -> None:
    _, url, model = sys.argv
    with Client("openai", base_url=url) as client:
        read(client, model)
        begin = cpu()
        chunks, characters = read(client, model)
        print(cpu() - begin, chunks)
        assert characters


main()
