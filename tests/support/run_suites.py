#!/usr/bin/env python3
"""Builds, runs the test suites and counts: the last line is "N passed, N failed, N skipped".

unit, sim and fuzz are meson's suites, counted by their single cases; scenario runs real nodes in
network namespaces (tests/scenario); style looks at the sources. A suite that this machine cannot
run is skipped, and says so."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUITES = ("style", "unit", "sim", "fuzz", "scenario")
SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]
LOG_LINES = 40


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0

    def add(self, good, name, why=""):
        if good:
            self.passed += 1
            return
        self.failed += 1
        print("FAILED %s" % name)
        if why:
            print("    " + "\n    ".join(why.strip().split("\n")[-LOG_LINES:]))

    def skip(self, name, why, cases=1):
        self.skipped += cases
        print("SKIPPED %s: %s" % (name, why), flush=True)


def run(*command, **options):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


# ---- building ---------------------------------------------------------------------------------

def has_tests(folder):
    listed = run("meson", "introspect", "--tests", folder)
    try:
        return bool(json.loads(listed.stdout))
    except ValueError:
        return False


def build(folder, options, werror):
    """True when FOLDER is built with its tests; with WERROR, without a single warning."""
    if not os.path.exists(os.path.join(ROOT, folder, "build.ninja")):
        steps = [["meson", "setup", folder, "-Dtests=enabled", *options]]
    elif not has_tests(folder):
        steps = [["meson", "setup", "--reconfigure", folder, "-Dtests=enabled", *options]]
    else:
        steps = []
    if werror:
        steps.append(["meson", "configure", folder, "-Dwerror=true"])
    for step in steps + [["ninja", "-C", folder]]:
        done = run(*step)
        if done.returncode:
            print("\n".join(done.stdout.split("\n")[-LOG_LINES:]))
            print("FAILED build: " + " ".join(step))
            return False
    return True


# ---- meson's suites ---------------------------------------------------------------------------

def run_meson_suite(suite, folder, options, count):
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--suite", suite, "--timeout-multiplier",
               "10" if options.sanitize else "4"]
    done = run(*command, env=dict(os.environ, ASAN_OPTIONS="abort_on_error=0:detect_stack_use_after_return=1",
                                  UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1"))
    results = os.path.join(ROOT, folder, "meson-logs", "testlog.junit.xml")
    if "No suitable tests defined" in done.stdout:
        count.skip(suite, "it has no tests")
        return
    if not os.path.exists(results):
        count.add(False, suite, done.stdout)
        return
    before = count.failed
    for test in xml.parse(results).getroot():
        count_meson_test(suite, test, count)
    if done.returncode and count.failed == before:
        count.add(False, suite, failed_programs(folder) or done.stdout)


def failed_programs(folder):
    """What those said of which no single case failed: they died, or ended badly after the last one."""
    said = []
    with open(os.path.join(ROOT, folder, "meson-logs", "testlog.json"), errors="replace") as log:
        for test in map(json.loads, log):
            if test["result"] not in ("OK", "SKIP"):
                said.append("%s: %s, exit code %s\n%s%s" % (test["name"], test["result"], test["returncode"],
                                                           test.get("stdout", ""), test.get("stderr", "")))
    return "\n".join(said)


def count_meson_test(suite, test, count):
    output = "".join(node.text or "" for node in test.iter() if node.tag in ("system-out", "system-err"))
    for case in test.iter("testcase"):
        name = "%s %s %s" % (suite, case.get("classname", ""), case.get("name"))
        if case.find("skipped") is not None:
            count.skip(name, "skipped by the test")
        else:
            count.add(case.find("failure") is None and case.find("error") is None, name, output)


# ---- scenarios --------------------------------------------------------------------------------

def scenarios_impossible():
    """Why this machine cannot run them, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in "ip", "nft", "nsenter", "curl":
        if not shutil.which(program):
            return program + " is not installed"
    probe = "lbnode-test-%d" % os.getpid()
    made = run("ip", "netns", "add", probe)
    run("ip", "netns", "del", probe)
    return None if made.returncode == 0 else "no network namespaces here: " + made.stdout.strip()


def run_scenarios(folder, options, count):
    binary = os.path.join(ROOT, folder, "lbnode", "node", "lbnode")
    impossible = scenarios_impossible()
    if impossible:
        count.skip("scenario", impossible)
        return
    results = os.path.join(ROOT, folder, "scenario.json")
    command = [sys.executable, "tests/scenario/run.py", "--lbnode", binary, "--jobs", "3",
               "--results", results]
    if options.only:
        command += ["--only", options.only]
    if subprocess.run(command, cwd=ROOT).returncode not in (0, 1) or not os.path.exists(results):
        count.add(False, "scenario", "the runner itself failed")
        return
    with open(results) as file:
        for name, result, why in json.load(file):
            if result == "skipped":
                count.skip(name, why)
            else:
                count.add(result == "passed", name, why)


# ---- style ------------------------------------------------------------------------------------

def scripts():
    """(python files, bash files), found by extension or first line."""
    python, bash = [], []
    for folder in "deploy", "tests", ".ci":
        for path, _, names in os.walk(os.path.join(ROOT, folder)):
            for full in sorted(os.path.join(path, name) for name in names if not name.endswith(".pyc")):
                with open(full, "rb") as file:
                    first = file.readline(80)
                if full.endswith(".py") or first.startswith(b"#!/usr/bin/env python3"):
                    python.append(full)
                elif first.startswith((b"#!/bin/bash", b"#!/bin/sh")):
                    bash.append(full)
    return python, bash


def check_python(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            try:
                compile(file.read(), path, "exec")
            except SyntaxError as error:
                return "%s: %s" % (path, error)
    return ""


def run_style(folder, options, count):
    sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
    from check_layers import sources
    if shutil.which("clang-format"):
        done = run("clang-format", "--dry-run", "-Werror", *sources())
        count.add(done.returncode == 0, "style format", done.stdout)
    else:
        count.skip("style format", "clang-format is not installed")
    binary = os.path.join(folder, "lbnode", "node", "lbnode")
    for script, arguments in ("check_layers.py", []), ("check_sizes.py", []), ("check_evidence.py", []), \
            ("check_commands.py", [binary]):
        done = run(sys.executable, os.path.join("tests", "support", script), *arguments)
        count.add(done.returncode == 0, "style " + script, done.stdout)
    python, bash = scripts()
    wrong = check_python(python)
    count.add(not wrong, "style python", wrong)
    for path in bash:
        done = run("bash", "-n", path)
        count.add(done.returncode == 0, "style bash " + os.path.relpath(path, ROOT), done.stdout)


# ---- all of it --------------------------------------------------------------------------------

def parse():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__)
    parser.add_argument("--suite", action="append", choices=SUITES, help="this suite only; may be repeated")
    parser.add_argument("--sanitize", action="store_true", help="AddressSanitizer and UBSan, in build-asan")
    parser.add_argument("--werror", action="store_true", help="a compiler warning fails the build")
    parser.add_argument("--only", metavar="PATTERN", help="scenarios whose name contains PATTERN")
    return parser.parse_args()


def main():
    options = parse()
    folder = "build-asan" if options.sanitize else "build"
    count, started = Count(), time.monotonic()
    if build(folder, SANITIZE if options.sanitize else [], options.werror):
        for suite in options.suite or SUITES:
            before = time.monotonic()
            if suite == "scenario":
                run_scenarios(folder, options, count)
            elif suite == "style":
                run_style(folder, options, count)
            else:
                run_meson_suite(suite, folder, options, count)
            print("%s: %.0f s" % (suite, time.monotonic() - before), flush=True)
    else:
        count.failed += 1
    print("%.0f s in all" % (time.monotonic() - started))
    print("%d passed, %d failed, %d skipped" % (count.passed, count.failed, count.skipped))
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
