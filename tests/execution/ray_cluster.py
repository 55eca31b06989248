"""Run by test_on_ray.py in a process of its own: an experiment on a Ray cluster of this machine, one node killed.

`python ray_cluster.py RECIPE STORE OUT SEED`: a head and two more nodes, one core each. When the store has a number of
results that SEED decides, one node that is not the head loses its raylet and all of its workers to SIGKILL.
`python ray_cluster.py RECIPE STORE OUT client` kills nothing, and goes through the client server (ray://).
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # else the client server, which forks, may die of a closed descriptor

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


def patiently(start):
    """On a busy machine a node may need longer than the 30 s that Ray gives it; then another is started."""
    for _ in range(5):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
    return start()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def kill(node):
    """SIGKILL a node's raylet and everything it has started; the command lines of its workers."""
    raylet = node.all_processes["raylet"][0].process.pid
    found, names = [raylet], []
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    for pid in found:
        try:
            names.append(Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0].rpartition("/")[2].strip())
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
    return names


def results(store):
    return len(list(store.glob("*/manifest.json")))


def main(recipe, store, out, how):
    port = free_port()
    head = {**NODE, "include_dashboard": False}
    if how == "client":
        head["ray_client_server_port"] = port
    cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    address = f"ray://127.0.0.1:{port}" if how == "client" else "ray"
    if how != "client":
        workers = [patiently(lambda: cluster.add_node(**NODE)) for _ in range(2)]
        os.environ["RAY_ADDRESS"] = cluster.address
    run = subprocess.Popen(
        [sys.executable, "-m", "outgrow", "run", recipe, f"--store={store}", f"--out={out}", f"--on={address}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    told = {}
    if how != "client":
        chance = random.Random(int(how))
        moment, victim = chance.randint(1, 20), chance.choice(workers)
        while results(Path(store)) < moment and run.poll() is None:
            time.sleep(0.02)
        told = {
            "moment": moment,
            "results": results(Path(store)),
            "running": run.poll() is None,
            "killed": kill(victim),
        }
        print(told, file=sys.stderr)
    _, said = run.communicate()
    print(json.dumps({**told, "code": run.returncode, "said": said}))
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
