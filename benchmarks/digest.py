"""The digest room beside its peers, in one run on this machine; `make bench` keeps what it finds.

Compares: sentences against summa's TextRank, keywords against yake, one day's writing, the start of the
command line, fifty papers with a slow model at concurrency 8 against a sequential loop, the verifier. Peers
and we take turns, so that other work on the machine hits both alike. Times are CPU seconds of this process
unless they say wall.

    python benchmarks/digest.py [--papers FILE] [--out FOLDER]
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT / "tests")  # in place of this folder, whose digest.py would hide the tests' package

import sulan  # noqa: E402
from chat.fake_server import FakeServer  # noqa: E402
from digest import fake_model  # noqa: E402
from digest.labels import MAIN_WORK  # noqa: E402
from sulan.chat import ChatSettings  # noqa: E402
from sulan.digest import checks, extraction, facts, inputs, keywords, sentences, stored  # noqa: E402
from sulan.digest.paper import Paper  # noqa: E402
from sulan.runs import outputs  # noqa: E402
from sulan.runs.record import Run, record  # noqa: E402

ROUNDS = 7
LATENCY, PAPERS, CONCURRENCY = 0.2, 50, 8


def cpu(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def in_turns(ours: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """Median CPU seconds of both, called in turns after one call each to warm up."""
    ours()
    peer()
    pairs = [(cpu(ours), cpu(peer)) for _ in range(ROUNDS)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def show(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:<48} {value:>10.4g} {unit:<10} {note}")


def measure_sentences(papers: tuple[Paper, ...], run: Run) -> None:
    from summa import summarizer

    def ours() -> dict[str, int]:
        return {p.id: extraction.main_work(p.title, sentences.split(p.abstract)) + 1 for p in papers}

    def peer() -> dict[str, int]:
        chosen = {}
        for paper in papers:
            numbered = sentences.split(paper.abstract)
            picked = summarizer.summarize(paper.abstract, ratio=1 / len(numbered) + 0.01, split=True)[:1]
            chosen[paper.id] = next(
                (n for n, text in enumerate(numbered, 1) if picked and picked[0][:40] in text), 0
            )
        return chosen

    mine, theirs = in_turns(ours, peer)
    count = len(papers)
    scale = f"{count} abstracts, median of {ROUNDS}"
    show("main-work sentence, ours", 1e3 * mine / count, "ms/paper")
    show("main-work sentence, summa TextRank", 1e3 * theirs / count, "ms/paper", f"ratio {theirs / mine:.1f}")
    run.metric("sentence.ms", round(1e3 * mine / count, 3), scale=scale)
    run.metric("sentence.ratio.summa", round(theirs / mine, 2), scale=scale)
    if all(paper.source == "file" for paper in papers):
        right = [sum(n in MAIN_WORK[i] for i, n in chosen().items()) for chosen in (ours, peer)]
        show("right main-work sentence, ours", right[0], f"of {count}")
        show("right main-work sentence, summa", right[1], f"of {count}")
        run.metric("sentence.right", right[0], scale=f"{count} real abstracts, labelled by hand")
        run.metric("sentence.right.summa", right[1], scale=f"{count} real abstracts, labelled by hand")


def measure_keywords(papers: tuple[Paper, ...], run: Run) -> None:
    import yake

    extractor = yake.KeywordExtractor(n=3, top=5)
    split = [(p.title, sentences.split(p.abstract), f"{p.title}. {p.abstract}") for p in papers]
    mine, theirs = in_turns(
        lambda: [keywords.keywords(title, numbered) for title, numbered, _ in split],
        lambda: [extractor.extract_keywords(text) for _, _, text in split],
    )
    scale = f"{len(papers)} abstracts, median of {ROUNDS}"
    show("keywords, ours", 1e3 * mine / len(papers), "ms/paper")
    show("keywords, yake", 1e3 * theirs / len(papers), "ms/paper", f"ratio {theirs / mine:.1f}")
    run.metric("keywords.ms", round(1e3 * mine / len(papers), 3), scale=scale)
    run.metric("keywords.ratio.yake", round(theirs / mine, 2), scale=scale)


def measure_day(file: Path, run: Run) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def day(out: str) -> None:
            sulan.digest.write("2023-09-12", input=file, out=Path(folder) / out, lang=("zh", "en"))

        day("warm")
        walls = []
        for number in range(ROUNDS):
            start = time.perf_counter()
            day(f"day-{number}")
            walls.append(time.perf_counter() - start)
    wall = statistics.median(walls)
    show("a day, extractive, warm", wall, "s wall", "limit 0.5")
    run.metric("day.seconds", round(wall, 3), scale=f"8 papers, 2 languages, wall, median of {ROUNDS}")


def measure_start(run: Run) -> None:
    command = [
        sys.executable,
        "-c",
        "import time, sys\nfrom sulan import cli\ncli.run(['digest', 'write', '--help'])\n"
        "print(time.process_time(), file=sys.stderr)",
    ]
    seconds = []
    for _ in range(ROUNDS):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds.append(float(done.stderr.split()[-1]))
    start = statistics.median(seconds)
    show("sulan digest write --help", start, "CPU-s", "limit 0.35")
    run.metric("help.seconds", round(start, 3), scale=f"CPU-s of the process, median of {ROUNDS}")


def fifty(papers: tuple[Paper, ...]) -> list[dict[str, Any]]:
    """Fifty papers as the Hub's API gives them: the day's, again and again under ids of their own."""
    return [
        {
            "paper": {
                "id": f"2309.1{n:04d}",
                "title": papers[n % len(papers)].title,
                "summary": f"{papers[n % len(papers)].abstract} This is run {n}.",
                "submittedOnDailyAt": "2023-09-12T00:00:00.000Z",
            }
        }
        for n in range(PAPERS)
    ]


def serve(pipe: Any) -> None:
    with FakeServer(fake_model.reply, latency=LATENCY) as server:
        pipe.send(server.url)
        while pipe.recv() != "stop":
            pipe.send((server.calls, server.most_in_flight))


@contextmanager
def slow_model() -> Iterator[tuple[str, Callable[[], tuple[int, int]]]]:
    """A model with 200 ms latency in a process of its own; gives its URL and a reader of its counters."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there,), daemon=True)
    process.start()
    url = here.recv()

    def counters() -> tuple[int, int]:
        here.send("count")
        return here.recv()

    yield url, counters
    here.send("stop")
    process.join()


def measure_model(papers: tuple[Paper, ...], run: Run) -> None:
    with tempfile.TemporaryDirectory() as name, slow_model() as (url, counters):
        folder = Path(name)
        file = folder / "papers.json"
        listed = fifty(papers)
        file.write_text(json.dumps(listed))

        def write(out: str, *, concurrency: int, cache: str) -> float:
            settings = ChatSettings(base_url=url, concurrency=concurrency, cache=folder / cache)
            start = time.perf_counter()
            sulan.digest.write(
                "2023-09-12", input=file, engine="openai:fake", out=folder / out, lang=("en",), chat=settings
            )
            return time.perf_counter() - start

        write("warm", concurrency=CONCURRENCY, cache="warm.sqlite3")
        walls = [write(f"out-{n}", concurrency=CONCURRENCY, cache=f"{n}.sqlite3") for n in range(3)]
        wall = statistics.median(walls)
        calls, most = counters()
        before = {p.name: p.read_bytes() for p in (folder / "out-0").iterdir()}
        again = write("out-0", concurrency=CONCURRENCY, cache="0.sqlite3")
        repeated = counters()[0] - calls
        changed = sum(before[p.name] != p.read_bytes() for p in (folder / "out-0").iterdir())
        listed[7]["paper"]["summary"] += " One sentence more."
        file.write_text(json.dumps(listed))
        write("out-0", concurrency=CONCURRENCY, cache="0.sqlite3")
        for_one = counters()[0] - calls - repeated
        sequential = write("one", concurrency=1, cache="one.sqlite3")
    scale = f"{PAPERS} papers, {LATENCY:.1f} s latency, concurrency {CONCURRENCY}, wall, median of 3"
    show("50 papers with a slow model, ours", wall, "s wall", f"limit 1.7; {most} at once")
    show("50 papers with a slow model, one by one", sequential, "s wall", f"ratio {sequential / wall:.1f}")
    show("the same again", again, "s wall", f"{repeated} calls, {changed} files changed")
    show("one abstract changed", for_one, "calls")
    run.metric("model.seconds", round(wall, 3), scale=scale)
    run.metric("model.ratio.sequential", round(sequential / wall, 2), scale=scale)
    run.metric("model.most_in_flight", most, scale=scale)
    run.metric("model.repeat.calls", repeated, scale=scale)
    run.metric("model.repeat.files_changed", changed, scale=scale)
    run.metric("model.one_changed.calls", for_one, scale=scale)


def measure_verifier(papers: tuple[Paper, ...], run: Run) -> None:
    known = [facts.Facts.read(paper.title, paper.abstract) for paper in papers]
    fields = [(fact, fact.sentences[:5]) for fact in known]

    def verify() -> None:
        for fact, texts in fields:
            for text in texts:
                checks.check(text, fact, language="en")

    verify()
    seconds = statistics.median(cpu(verify) for _ in range(ROUNDS))
    count = len(papers)
    show("verifier, five fields a paper", 1e3 * seconds / count, "ms/paper", "limit 1")
    run.metric("verify.ms", round(1e3 * seconds / count, 3), scale=f"{count} papers, 5 fields each")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--papers", type=Path, help="the day as the Hub's API gives it; else the shipped day")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "digest")
    arguments = parser.parse_args()
    papers = inputs.read(arguments.papers) if arguments.papers else stored.papers("2023-09-12") or ()
    with (
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark digest", folder=folder, config={"papers": len(papers)}) as run,
        tempfile.TemporaryDirectory() as name,
    ):
        file = arguments.papers or Path(name) / "day.json"
        if not arguments.papers:
            file.write_text(json.dumps([paper.model_dump() for paper in papers]))
        measure_sentences(papers, run)
        measure_keywords(papers, run)
        measure_verifier(papers, run)
        measure_start(run)
        measure_day(file, run)
        measure_model(papers, run)


if __name__ == "__main__":
    main()
