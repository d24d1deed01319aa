"""What the node counts, from its metrics."""
import collections
import re
import socket

SAMPLE = re.compile(r'lbnode_(listener|pool|member)_(\w+)\{(.*)\} (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def text(path):
    """The page of metrics of the node whose API's socket is at PATH."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with connection:
        connection.settimeout(30)
        connection.connect(path)
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := connection.recv(1 << 16):
            data += piece
    return data.partition(b"\r\n\r\n")[2].decode()


def read(page):
    """{kind: {id: {metric: value, ..., "labels": {...}}}}; terminations as a table of their own."""
    objects = {kind: {} for kind in ("listener", "pool", "member")}
    for line in page.split("\n"):
        found = SAMPLE.match(line)
        if not found:
            continue
        kind, metric, labels, value = found.group(1), found.group(2), dict(LABEL.findall(found.group(3))), found.group(4)
        here = objects[kind].setdefault(labels["id"], {"labels": labels, "terminations": {}})
        if metric == "terminations":
            here["terminations"][labels["reason"]] = int(value)
        elif "le" not in labels:
            here[metric] = float(value) if "." in value else int(value)
    return objects


def restarts(page):
    return {name: int(count) for name, count in re.findall(r'lbnode_process_restarts_total\{process="(\w+)"\} (\d+)', page)}


def add_members(total, member):
    total.update({name: value for name, value in member.items() if isinstance(value, int)})


def listeners(objects, retired, unknown):
    """What judge.py wants of each listener; its pool has its name. RETIRED: {pool: [member as it was when it was
    deleted]}, UNKNOWN: pools of which some were deleted while they served."""
    out = {}
    for listener in objects["listener"].values():
        name = listener["labels"]["listener"]
        pool = next(pool for pool in objects["pool"].values() if pool["labels"]["pool"] == name)
        members = collections.Counter({"active": 0, "total": 0})
        for member in objects["member"].values():
            if member["labels"]["pool"] == name:
                add_members(members, member)
        for member in retired.get(name, []):
            add_members(members, member)
        out[name] = {"board": dict(listener, client_wait=listener.get("client_wait_seconds_count", 0)),
                     "pool": dict(pool, assigned=pool.get("queue_seconds_count", 0)),
                     "members": dict(members), "members_known": name not in unknown}
    return out
