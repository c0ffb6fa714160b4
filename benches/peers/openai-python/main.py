"""flood|paced URL: reads an answer by openai-python."""

import resource
import sys
import time

from openai import OpenAI


def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC), int((usage.ru_utime + usage.ru_stime) * 1e9), usage.ru_nvcsw


def main():
    paced = sys.argv[1] == "paced"
    text = chunks = 0
    delays = []
    finished = False
    start = used()
    client = OpenAI(api_key="key", base_url=sys.argv[2])
    stream = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    for chunk in stream:
        chunks += 1
        for choice in chunk.choices:
            content = choice.delta.content
            if content:
                text += len(content.encode())
                if paced:
                    delays.append(time.clock_gettime_ns(time.CLOCK_MONOTONIC) - int(content))
            finished = finished or choice.finish_reason is not None
    end = used()
    if not finished:
        sys.exit("the answer stopped before its end")
    report = f"wall={end[0] - start[0]} cpu={end[1] - start[1]} switches={end[2] - start[2]} text={text} chunks={chunks}"
    if delays:
        delays.sort()
        report += f" p50={delays[len(delays) // 2]} p99={delays[len(delays) * 99 // 100]}"
    print(report)


main()
