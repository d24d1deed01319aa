#!/usr/bin/env python3
"""Folders depend one way, each library has one place, nothing mutable is shared by name.

The rules are those of CONTRIBUTING.md, "Layers". Prints each breach; exit 1 when there is one."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# folder: folders that it may include besides itself
LAYERS = {
    "lbnode/base": [],
    "lbnode/crypto": ["lbnode/base"],
    "lbnode/model": ["lbnode/base", "lbnode/crypto"],
    "lbnode/http": ["lbnode/base"],
    "lbnode/loop": ["lbnode/base", "lbnode/model"],
    "lbnode/tls": ["lbnode/base"],
    "vrrp": ["lbnode/base", "lbnode/model", "lbnode/http", "lbnode/crypto", "lbnode/loop"],
    "replication": ["lbnode/base", "lbnode/model", "lbnode/http", "lbnode/crypto", "lbnode/loop"],
    "health": ["lbnode/base", "lbnode/model", "lbnode/http", "lbnode/crypto", "lbnode/loop", "lbnode/tls"],
    "proxy": ["lbnode/base", "lbnode/model", "lbnode/http", "lbnode/crypto", "lbnode/loop"],
    "lbnode/admin": ["lbnode/base", "lbnode/model", "lbnode/http", "lbnode/crypto", "lbnode/loop", "replication"],
    "lbnode/cli": ["lbnode/base", "lbnode/model", "lbnode/http"],
    "lbnode/node": ["lbnode/base", "lbnode/model", "lbnode/http", "lbnode/crypto", "lbnode/loop", "vrrp",
                    "replication", "health", "proxy", "lbnode/admin", "lbnode/cli"],
}
# From loop, model takes nothing; loop takes from model the messages and what they are made of.
LOOP_TAKES = {"lbnode/model/message.h"}
# Of the middle folders, others may include the public header alone.
PUBLIC = {"vrrp": {"vrrp/vrrp.h"}, "replication": {"replication/replication.h", "replication/database.h", "replication/recovery.h"},
          "health": {"health/health.h"}, "proxy": {"proxy/proxy.h"}}
# third-party header: the only files or folders that may include it
LIBRARIES = {
    r"event2?/|event\.h": ["lbnode/loop/"],
    r"jansson\.h": ["lbnode/base/json_value.c"],
    r"yaml\.h": ["lbnode/base/yaml_value.c"],
    r"sodium": ["lbnode/crypto/"],
    r"openssl/": ["lbnode/tls/", "tests/unit/health/hostile_tls.c", "tests/unit/health/resuming_worker.c"],
    r"lmdb\.h": ["replication/store_lmdb.c"],
    r"netlink/": ["vrrp/"],
    r"cap-ng\.h": ["lbnode/node/privileges.c"],
    r"seccomp\.h": ["proxy/sandbox.c", "health/confinement.c"],
    r"systemd/": ["lbnode/node/"],
    r"cmocka\.h": ["tests/"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def sources():
    """C files of the tree, relative to its root; build folders are elsewhere."""
    found = []
    for top in sorted({folder.split("/")[0] for folder in LAYERS} | {"tests"}):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            found += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names if n.endswith((".c", ".h"))]
    return sorted(found)


def check_include(path, folder, included):
    target = os.path.dirname(included)
    if target == folder:
        return None
    if target not in LAYERS:
        return "includes %s, which is in none of the layers" % included
    if target not in LAYERS[folder]:
        return "includes %s: %s may not depend on %s" % (included, folder, target)
    if folder == "lbnode/loop" and target == "lbnode/model" and included not in LOOP_TAKES:
        return "includes %s: loop takes only %s from model" % (included, ", ".join(sorted(LOOP_TAKES)))
    if target in PUBLIC and included not in PUBLIC[target]:
        return "includes %s: of %s only the public header is for others" % (included, target)
    return None


def check_library(path, header):
    for pattern, places in LIBRARIES.items():
        if re.match(pattern, header) and not path.startswith(tuple(places)):
            return "includes <%s>, which belongs in %s only" % (header, ", ".join(places))
    return None


def mutable_globals(text):
    """Names declared extern and not const: state that anybody could change."""
    for line in re.findall(r"^extern\s+[^;({]*;", text, re.M):
        if "const" not in line:
            yield "shares mutable state: " + " ".join(line.split())


def breaches(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = file.read()
    folder = os.path.dirname(path)
    for bracket, name in INCLUDE.findall(text):
        if bracket == '"' and folder in LAYERS:
            yield check_include(path, folder, name)
        if bracket == "<":
            yield check_library(path, name)
    yield from mutable_globals(text)


def main():
    count = 0
    for path in sources():
        for breach in filter(None, breaches(path)):
            print("%s: %s" % (path, breach))
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
