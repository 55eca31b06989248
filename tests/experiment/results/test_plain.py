"""What results.json may hold: no host, no folder."""

from outgrow.experiment.results.plain import without_places


def test_hosts_go_and_of_whole_paths_the_last_part_stays():
    recipe = {
        "task": {"kind": "table", "path": "/home/ann/data.csv", "files": None, "prompts": ["/imagine {text}"]},
        "supervisors": [
            {"kind": "server", "model": "Qwen/Qwen3", "base_url": "http://10.0.0.1/v1"},
            {"kind": "file", "path": "said.csv"},
        ],
        "ask": {"paraphraser": {"kind": "server", "model": "big", "base_url": ["http://a", "http://b"]}},
        "student": {"model": "/models/strong"},
        "jobs": 3,
        "data_dir": "/home/ann",
    }
    assert without_places(recipe) == {
        "task": {"kind": "table", "path": "data.csv", "files": None, "prompts": ["/imagine {text}"]},
        "supervisors": [{"kind": "server", "model": "Qwen/Qwen3"}, {"kind": "file", "path": "said.csv"}],
        "ask": {"paraphraser": {"kind": "server", "model": "big"}},
        "student": {"model": "strong"},
        "jobs": None,
        "data_dir": None,
    }
