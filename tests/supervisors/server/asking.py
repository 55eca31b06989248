"""What these tests ask: questions about colours, with and without options, and a journal in memory."""

from outgrow.core.tables import EXAMPLES, build
from outgrow.supervisors.queries import Query, Turn, pose
from outgrow.supervisors.server import ServerConfig, answer
from outgrow.tasks.base import Wording


class Colours:
    """Which colour is thing 0, 1, ...? Variant v turns the options by v places."""

    name = "colours"
    classes = ("red", "green", "blue")
    splits = ("pool",)
    n_variants = 3
    public_meta = ()
    max_new_tokens = 4

    def __init__(self, options=("red", "green", "blue")):
        self.options = options

    def fingerprint(self):
        return "colours 1"

    def gold(self, split):
        raise AssertionError("nobody asks for gold here")

    def solution(self, example, value):
        return value

    def canonicalise(self, answers):
        return answers

    def examples(self, n):
        ids = [f"e{i}" for i in range(n)]
        return build(EXAMPLES, {"example_id": ids, "group_id": ids, "question": [f"colour of {i}" for i in range(n)]})

    def wording(self, example, variant):
        prompt = f"Question: {example.question}? ({variant}) Answer:"
        if self.options is None:
            return Wording(prompt)
        order = tuple((i + variant) % 3 for i in range(3))
        return Wording(
            prompt,
            tuple(self.options[i] for i in order),
            tuple(self.classes[i] for i in order),
            "permutation",
            "default",
            order,
        )

    def extract(self, text, example, wording):
        return next((word for word in text.split() if word in self.classes), None)


def ask(config, *, n=1, variants=1, task=None, turns=(), **options):
    """The answers to n questions."""
    task = task or Colours()
    queries = pose(task, task.examples(n), variants)
    if turns:
        queries = [Query(q.example, q.variant, q.wording, tuple(Turn(*turn) for turn in turns)) for q in queries]
    return answer(config, task, queries, **{"source": "weak", "seed": 0, **options})


def server(url, **settings):
    """Settings for a fake server: fast retries."""
    return ServerConfig(model="weak-1", base_url=url, **{"backoff": 0.01, "timeout": 5.0, **settings})
