#!/usr/bin/env python3
"""Plays "balance a website over two workers" on a lab: each command, and what it really answers.

--check asserts each step and removes the lab; without it the lab stays up to play with."""
import argparse
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, LabError, wait_until  # noqa: E402
from prober import Prober  # noqa: E402

VIP = "10.77.0.100"
WORKER = "<!DOCTYPE html><html><body><p>Hello from worker %d!</p></body></html>"
HINTS = """
The lab stays up. Some things to try:
  {lab} exec {other} -- lbnode status
  {lab} exec {other} -- lbnode events
  {lab} exec client -- curl -s http://{vip}/
  {lab} kill {other}           then curl again: the other node answers
  {lab} cut lb1 lb2        both edit, then: {lab} heal
  {lab} down               remove everything
"""


class Guide:
    def __init__(self, lab):
        self.lab, self.wrong = lab, []

    def say(self, text):
        print("\n# " + text, flush=True)

    def run(self, host, command):
        """Prints COMMAND and its output; the output."""
        print("%s$ %s" % (host, command), flush=True)
        result = self.lab.execute(host, *command.split())
        print((result.stdout + result.stderr).rstrip(), flush=True)
        self.expect(result.returncode == 0, "%s on %s ended with %d" % (command, host, result.returncode))
        return result.stdout

    def act(self, verb, host):
        print("$ deploy/lab %s %s" % (verb, host), flush=True)
        getattr(self.lab, verb.replace("-", "_"))(host)

    def expect(self, good, sentence):
        if not good:
            self.wrong.append(sentence)
            print("UNEXPECTED: " + sentence, flush=True)

    def show(self, node, noun, *names):
        """An object as the command line gives it in JSON; {} when there is none."""
        result = self.lab.lbnode(node, noun, "show", *names, "-o", "json")
        try:
            answer = json.loads(result.stdout)
        except ValueError:
            return {}
        return answer.get(noun, answer)

    def await_status(self, node, noun, names, status, seconds):
        reached = wait_until(lambda: self.show(node, noun, *names).get("operating_status") == status, seconds, 0.2)
        self.expect(reached, "%s %s on %s is not %s after %d s" % (noun, names[-1], node, status, seconds))

    def curl(self, times):
        return [self.run("client", "curl -s --max-time 5 http://%s/" % VIP).strip() for _ in range(times)]

    # ---- the steps ----------------------------------------------------------------------------

    def create(self):
        self.say("On lb2: a load balancer with a virtual address, two workers behind it.")
        for command in (
                "lbnode loadbalancer create --name web --vip-address " + VIP,
                "lbnode listener create --name http --protocol HTTP --protocol-port 80 web",
                "lbnode pool create --name workers --protocol HTTP --lb-algorithm ROUND_ROBIN --listener http",
                "lbnode member create --name w1 --address 10.77.0.21 --protocol-port 80 workers",
                "lbnode member create --name w2 --address 10.77.0.22 --protocol-port 80 workers",
                "lbnode healthmonitor create --type HTTP --delay 5 --timeout 3 --max-retries 3 --url-path / workers"):
            self.run("lb2", command)
        self.say("On lb1, which nobody told: the same configuration.")
        self.run("lb1", "lbnode loadbalancer show web")
        self.await_status("lb1", "member", ("workers", "w1"), "ONLINE", 10)
        self.await_status("lb1", "member", ("workers", "w2"), "ONLINE", 10)
        self.run("lb1", "lbnode member list workers")
        wait_until(lambda: self.lab.holders(VIP), 5)
        self.expect(len(self.lab.holders(VIP)) == 1, "%s is held by %s" % (VIP, self.lab.holders(VIP) or "nobody"))

    def alternate(self):
        self.say("Four requests to the virtual address: the workers take turns.")
        answers = self.curl(4)
        self.expect(set(answers) == {WORKER % 1, WORKER % 2} and answers[:2] == answers[2:],
                    "the workers do not alternate")

    def lose_worker(self):
        self.say("Worker 2 breaks. Its health monitor notices within some seconds.")
        self.act("worker-stop", "w2")
        self.await_status("lb1", "member", ("workers", "w2"), "ERROR", 30)
        self.await_status("lb1", "pool", ("workers",), "DEGRADED", 5)
        self.await_status("lb2", "pool", ("workers",), "DEGRADED", 30)
        self.run("lb1", "lbnode member list workers")
        self.run("lb1", "lbnode pool list")
        self.expect(self.curl(4) == [WORKER % 1] * 4, "not all answers come from worker 1")
        self.say("Worker 2 is back, and is used again.")
        self.act("worker-start", "w2")
        for node in "lb1", "lb2":
            self.await_status(node, "member", ("workers", "w2"), "ONLINE", 30)
        self.run("lb1", "lbnode member list workers")
        answers = self.curl(4)
        self.expect(set(answers) == {WORKER % 1, WORKER % 2}, "worker 2 is not used again")

    def lose_node(self):
        """The names of the node that died and of the one that took over."""
        dead = (self.lab.holders(VIP) or ["lb1"])[0]
        survivor = "lb2" if dead == "lb1" else "lb1"
        self.say("%s is active. All its processes die at once, under 200 requests per second." % dead)
        with Prober(self.lab, VIP) as prober:
            self.act("kill", dead)
            wait_until(lambda: survivor in self.lab.holders(VIP), 10)
            prober.await_more(300)
        print(prober.report.line())
        self.expect(prober.report.outage_ms < 1000, "the outage took longer than a second")
        self.expect(survivor in self.lab.holders(VIP), "%s does not hold %s" % (survivor, VIP))
        self.say("Who is active now?")
        self.run(survivor, "lbnode status")
        return dead, survivor

    def catch_up(self, dead, survivor):
        self.say("A change on the survivor, while the other node is down.")
        self.run(survivor, "lbnode member set --weight 5 workers w1")
        self.say("The dead node starts and catches up.")
        self.act("start", dead)
        caught_up = wait_until(lambda: self.show(dead, "member", "workers", "w1").get("weight") == 5, 10, 0.1)
        self.expect(caught_up, "%s does not know the new weight after 10 s" % dead)
        self.run(dead, "lbnode member show workers w1")
        self.run(dead, "lbnode status")
        self.expect(self.lab.holders(VIP) == [survivor], "%s is not held by %s alone" % (VIP, survivor))
        self.curl(1)

    def play(self):
        self.create()
        self.alternate()
        self.lose_worker()
        dead, survivor = self.lose_node()
        self.catch_up(dead, survivor)
        return survivor


def play(lab, keep):
    guide = Guide(lab)
    try:
        guide.say("Two load balancer nodes, two workers and a client, in network namespaces.")
        print("$ deploy/lab up && deploy/lab form", flush=True)
        lab.up()
        lab.form()
        survivor = guide.play()
    except BaseException:
        if not keep:
            lab.down()
        raise
    if keep:
        name = "" if lab.name == "lab" else "LBNODE_LAB=%s " % lab.name
        print(HINTS.format(lab=name + "deploy/lab", other=survivor, vip=VIP))
    else:
        lab.down()
    return guide.wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--name", default="lab")
    parser.add_argument("--lbnode", metavar="PATH")
    options = parser.parse_args()
    try:
        wrong = play(Lab(options.name, options.lbnode), keep=not options.check)
    except LabError as error:
        sys.exit("quickstart: %s" % error)
    for sentence in wrong:
        print("UNEXPECTED: " + sentence)
    if options.check:
        print("quickstart: %s" % ("%d steps went wrong" % len(wrong) if wrong else "every step as expected"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
